import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  randomBytes,
  randomFillSync,
  sign,
  timingSafeEqual,
} from 'node:crypto';
import { writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import { Client } from 'pg';
import { binaryArray, bytesOfInt64, bytesOfTime, bytesOfUuid, oid } from './binary-array.js';

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
const writer = '00000000-0000-4000-8000-000000000001';

const database = new Client({ connectionString: process.env['DATABASE_URL'] });
await database.connect();
await database.query(`create table if not exists handwritten_entry (
  id uuid primary key, kind text not null, principal text not null, rail text, account_id text, key_id text, sku text,
  units bigint, period_start timestamptz, occurred_at timestamptz, writer uuid, post bigint, kid text not null,
  payload bytea, signature bytea, digest bytea not null, recorded_at timestamptz not null default now())`);

interface Row {
  readonly id: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly at: number;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly digest: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

let waiting: Row[] = [];
let writing = false;
let post = 0;

/** Resolves when the row is durable: one statement for all rows of a turn, and for those that came during the last one. */
async function store(row: Omit<Row, 'resolve' | 'reject'>): Promise<void> {
  return await new Promise<void>((resolve, reject) => {
    waiting.push({ ...row, resolve, reject });
    if (writing) return;
    writing = true;
    setImmediate(() => void write());
  });
}

const insert = {
  name: 'handwritten_insert',
  text: `insert into handwritten_entry (id, kind, principal, rail, account_id, key_id, sku, units, period_start,
      occurred_at, writer, post, kid, payload, signature, digest)
    select id, 'call', account_id, 'key', account_id, key_id, sku, units, period_start, occurred_at, $10, $11, $12,
      payload, signature, digest
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::bytea[],
      $8::bytea[], $9::bytea[], $13::timestamptz[])
    as t(id, account_id, key_id, sku, units, occurred_at, payload, signature, digest, period_start)
    on conflict (id) do nothing`,
};
const sku = Buffer.from('bench');
const oneUnit = bytesOfInt64(1n);

async function write(): Promise<void> {
  while (waiting.length > 0) {
    const rows = waiting;
    waiting = [];
    post += 1;
    try {
      await database.query({ ...insert, values: valuesOf(rows) });
      for (const row of rows) row.resolve();
    } catch (error) {
      for (const row of rows) row.reject(error);
    }
  }
  writing = false;
}

function valuesOf(rows: readonly Row[]): unknown[] {
  return [
    binaryArray(
      oid.uuid,
      rows.map(({ id }) => bytesOfUuid(id)),
    ),
    binaryArray(
      oid.text,
      rows.map(({ accountId }) => Buffer.from(accountId)),
    ),
    binaryArray(
      oid.text,
      rows.map((row) => Buffer.from(row.keyId)),
    ),
    binaryArray(
      oid.text,
      rows.map(() => sku),
    ),
    binaryArray(
      oid.int8,
      rows.map(() => oneUnit),
    ),
    binaryArray(
      oid.timestamptz,
      rows.map(({ at }) => bytesOfTime(at)),
    ),
    binaryArray(
      oid.bytea,
      rows.map(({ payload }) => payload),
    ),
    binaryArray(
      oid.bytea,
      rows.map(({ signature }) => signature),
    ),
    binaryArray(
      oid.bytea,
      rows.map(({ digest }) => digest),
    ),
    writer,
    String(post),
    kid,
    binaryArray(
      oid.timestamptz,
      rows.map(({ at }) => bytesOfTime(monthStart(at))),
    ),
  ];
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

const pool = Buffer.alloc(4_096);
let used = pool.length;

/** A UUIDv7 (RFC 9562, section 5.7). */
function newId(at: number): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  pool.writeUIntBE(at, used, 6);
  pool[used + 6] = ((pool[used + 6] ?? 0) & 0x0f) | 0x70;
  pool[used + 8] = ((pool[used + 8] ?? 0) & 0x3f) | 0x80;
  const hex = pool.toString('hex', used, used + 16);
  used += 16;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
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
  await store({ id: exchange, accountId: key.accountId, keyId: id, at, payload, signature, digest });
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
