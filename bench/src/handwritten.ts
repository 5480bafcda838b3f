import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  randomBytes,
  sign,
  timingSafeEqual,
} from 'node:crypto';
import { writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import { Client } from 'pg';
import { createEntryTable, type EntryRow, insertEntries } from './entry-row.js';
import { newId } from './new-id.js';

/**
 * What an expert writes by hand for one priced route: the key is checked by HMAC, the receipt is made from a template,
 * the row is durable before the answer leaves, and an access line is written. Nothing of the gate is imported.
 */
const answer = { city: 'Berlin', sunrise: '2026-11-21T06:33:41.000Z', sunset: '2026-11-21T15:06:12.000Z' };
const signingKey = createPrivateKey(process.env['RECEIPT_SIGNING_KEY'] ?? '');
const publicX = createPublicKey(signingKey).export({ format: 'jwk' }).x ?? '';
const kid = `did:web:localhost%3A3000#${createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${publicX}"}`).digest('base64url')}`;
const protectedHeader = `${Buffer.from(JSON.stringify({ alg: 'EdDSA', kid, typ: 'keyfare-receipt+jws' })).toString('base64url')}.`;

const pepper = randomBytes(32);
const keyId = 'a'.repeat(12);
const secret = `kf_test_${keyId}_${randomBytes(16).toString('hex')}`;
const keys = new Map([[keyId, { accountId: 'acc_bench', digest: hmac(secret) }]]);
const keyShape = /^Bearer (kf_test_([0-9A-Za-z]{12})_[0-9A-Za-z]{32})$/i;

const database = new Client({ connectionString: process.env['DATABASE_URL'] });
await database.connect();
await database.query(createEntryTable('handwritten_entry'));

interface Row extends EntryRow {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

let waiting: Row[] = [];
let writing = false;
let post = 0;

/**
 * Resolves when the row is durable: one statement for all rows of a turn, and for those that came during the last one.
 */
async function store(row: Omit<Row, 'resolve' | 'reject'>): Promise<void> {
  return await new Promise<void>((resolve, reject) => {
    waiting.push({ ...row, resolve, reject });
    if (writing) return;
    writing = true;
    setImmediate(() => void write());
  });
}

async function write(): Promise<void> {
  while (waiting.length > 0) {
    const rows = waiting;
    waiting = [];
    post += 1;
    try {
      await database.query(insertEntries('handwritten_entry', rows, { post, kid }));
      for (const row of rows) row.resolve();
    } catch (error) {
      for (const row of rows) row.reject(error);
    }
  }
  writing = false;
}

let month = { from: 0, to: 0 };

function monthStart(at: number): number {
  if (at < month.from || at >= month.to) {
    const day = new Date(at);
    const [year, index] = [day.getUTCFullYear(), day.getUTCMonth()];
    month = { from: Date.UTC(year, index, 1), to: Date.UTC(year, index + 1, 1) };
  }
  return month.from;
}

function hmac(material: string): Buffer {
  return createHmac('sha256', pepper).update(material).digest();
}

let lines = '';

/** Access lines leave in writes of many. */
function flushLines(): void {
  if (lines === '') return;
  writeSync(1, lines);
  lines = '';
}

const app = fastify();
app.get('/priced', async (request, reply) => {
  const startedAt = performance.now();
  const at = Date.now();
  const [, material = '', id = ''] = keyShape.exec(request.headers.authorization ?? '') ?? [];
  const key = keys.get(id);
  if (key === undefined || !timingSafeEqual(hmac(material), key.digest)) return await reply.status(401).send();
  const body = JSON.stringify(answer);
  const exchange = newId(at);
  const payload = Buffer.from(
    `{"id":"${exchange}","issuedAt":${String(Math.floor(at / 1_000))},"method":"GET","principal":"${key.accountId}","rail":"key","resourceUrl":"http://localhost:3000/priced","responseDigest":"sha-256=:${hash('sha256', body, 'base64')}:","sku":"bench","status":200,"units":1,"version":1}`,
  );
  const input = protectedHeader + payload.toString('base64url');
  const signature = sign(null, Buffer.from(input), signingKey);
  const jws = `${input}.${signature.toString('base64url')}`;
  const digest = hash('sha256', jws, 'buffer');
  await store({
    id: exchange,
    accountId: key.accountId,
    keyId: id,
    at,
    monthStart: monthStart(at),
    payload,
    signature,
    digest,
  });
  lines += `{"level":"info","time":"${new Date(at).toISOString()}","exchange":"${exchange}","method":"GET","route":"/priced","status":200,"rail":"key","sku":"bench","principal":{"account":"${key.accountId}","key":"${id}"},"receipt":"${exchange}","durationMs":${(performance.now() - startedAt).toFixed(3)},"msg":"exchange"}\n`;
  if (lines.length > 16_384) flushLines();
  return await reply
    .header('keyfare-receipt', jws)
    .header('receipt-id', exchange)
    .header('cache-control', 'private, no-store')
    .header('content-type', 'application/json; charset=utf-8')
    .send(body);
});
setInterval(flushLines, 100).unref();
await app.listen({ host: '127.0.0.1', port: 0 });
const { port } = app.server.address() as AddressInfo;
process.send?.({ url: `http://127.0.0.1:${String(port)}`, secret });
