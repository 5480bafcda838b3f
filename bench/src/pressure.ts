import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { callRpc } from '@keyfare/devstack/chain';
import { migrateGate } from '@keyfare/gate/database';
import { Client } from 'pg';
import { atRateApart } from './arrivals.js';
import { underLoad, warmUpCalls } from './load.js';
import type { ArrivalFigures, ArrivalSettings } from './open-loop.js';
import type { Order } from './orders.js';
import { payerAddress, payersCount, signPayments } from './payments.js';
import type { Report } from './report.js';
import { type Stack, startStack } from './stack.js';

const goodPerSecond = 200;
const badPaymentsPerSecond = 200;
const wrongKeysPerSecond = 500;
/** 3,200 good calls: enough for a p99. */
const phaseSeconds = 16;
const rounds = 2;
const revocations = 50;
const accounts = 1_500;
/** Payers of the good calls and of the bad ones are not the same. */
const firstPoor = payersCount;

/** Calls by key at a fixed rate, alone and beside strangers; and how soon a revoked key is dead in another process. */
export async function benchPressure({ seconds }: { readonly seconds: number }): Promise<Report> {
  const stack = await startStack({ keys: revocations + 6, peer: true });
  try {
    const authorization = `Bearer ${stack.gate.secret}`;
    const pids = { api: stack.gate.pid, postgres: stack.postgresPid };
    const url = `${stack.gate.url}/priced`;
    await underLoad({ url, headers: { authorization }, connections: 64, seconds, amount: warmUpCalls, pids });
    const good: ArrivalSettings = {
      url,
      headers: { authorization },
      ratePerSecond: goodPerSecond,
      seconds: phaseSeconds,
    };
    const payments = await badPayments(stack);
    const keys = wrongKeys();
    const strangers = (headersInTurn: ArrivalSettings['headersInTurn'], ratePerSecond: number): ArrivalSettings => ({
      url,
      ...(headersInTurn && { headersInTurn }),
      areRefused: true,
      ratePerSecond,
      seconds: phaseSeconds,
    });
    const alone: ArrivalFigures[] = [];
    const besidePayments: ArrivalFigures[] = [];
    const besideKeys: ArrivalFigures[] = [];
    // The same strangers at a server that has nothing to do with the gate: what their load costs the machine.
    const besideOthers: ArrivalFigures[] = [];
    const elsewhere = { ...strangers(keys, wrongKeysPerSecond), url: `${stack.bare.url}/nothing` };
    while (alone.length < rounds) {
      alone.push(await atRateApart(good));
      besidePayments.push(await beside(good, strangers(payments, badPaymentsPerSecond)));
      besideKeys.push(await beside(good, strangers(keys, wrongKeysPerSecond)));
      besideOthers.push(await beside(good, elsewhere));
    }
    const revocation = await revoke(stack, good);
    const [calm, underPayments, underKeys, underOthers] = [alone, besidePayments, besideKeys, besideOthers].map(best);
    return {
      bench: 'pressure',
      figures: {
        alone: calm,
        besideBadPayments: underPayments,
        besideWrongKeys: underKeys,
        besideStrangersElsewhere: underOthers,
        revocation_p50_ms: revocation.p50Ms,
        revocation_p99_ms: revocation.p99Ms,
        revocation_max_ms: revocation.maxMs,
        besideRevocations: revocation.calls,
      },
      ratios: {
        p99_growth_bad_payments: (underPayments?.p99Ms ?? 0) / (calm?.p99Ms ?? 1),
        p99_growth_wrong_keys: (underKeys?.p99Ms ?? 0) / (calm?.p99Ms ?? 1),
        p99_growth_elsewhere: (underOthers?.p99Ms ?? 0) / (calm?.p99Ms ?? 1),
      },
    };
  } finally {
    await stack.stop();
  }
}

async function beside(good: ArrivalSettings, bad: ArrivalSettings): Promise<ArrivalFigures> {
  const [figures] = await Promise.all([atRateApart(good), atRateApart(bad)]);
  return figures;
}

/** A neighbor only adds: of two rounds apart in time the better one counts. */
function best(figures: readonly ArrivalFigures[]): ArrivalFigures {
  return figures.toSorted((a, b) => a.p99Ms - b.p99Ms)[0] as ArrivalFigures;
}

/** Half are well signed by payers without money, a quarter pay somebody else, a quarter are signed by nobody. */
async function badPayments({ node, payTo }: Stack): Promise<readonly Record<string, string>[]> {
  const count = badPaymentsPerSecond * (phaseSeconds + 2);
  const poor = Array.from({ length: payersCount }, (_, index) => payerAddress(firstPoor + index));
  await callRpc(node.url, 'bench_setPoor', poor);
  const unfunded = await signPayments(payTo, count / 2, firstPoor);
  const elsewhere = await signPayments(`0x${randomBytes(20).toString('hex')}`, count / 4);
  const garbage = (await signPayments(payTo, count / 4)).map((headers) => broken(headers));
  return Array.from({ length: count }, (_, index) => {
    const kind = index % 4 === 0 ? elsewhere : index % 4 === 1 ? garbage : unfunded;
    return kind[index % kind.length] as Record<string, string>;
  });
}

function broken({ 'payment-signature': header = '' }: Record<string, string>): Record<string, string> {
  const payment = JSON.parse(Buffer.from(header, 'base64').toString()) as { payload: { signature: string } };
  payment.payload.signature = `0x${randomBytes(64).toString('hex')}1b`;
  return { 'payment-signature': Buffer.from(JSON.stringify(payment)).toString('base64') };
}

/** Well-formed, each with another id, so that none is known without a look. */
function wrongKeys(): readonly Record<string, string>[] {
  return Array.from({ length: 2_000 }, () => ({ authorization: `Bearer ${madeUpKey()}` }));
}

/**
 * Keys are revoked in one process and called in the other, beside calls, lists of 1,500 accounts, statements that take
 * seconds, and migrations: from the order to the first 401.
 */
async function revoke(
  stack: Stack,
  good: ArrivalSettings,
): Promise<{ p50Ms: number; p99Ms: number; maxMs: number; calls: ArrivalFigures }> {
  const { gate, peer, postgres } = stack;
  if (peer === undefined) throw new Error('the bench needs a second process');
  const database = new Client({ connectionString: postgres.adminUrl });
  await database.connect();
  await database.query(
    `insert into keyfare.account (id, name, plan_id, created_at, revision, effective_at)
     select 'acct_bench' || n, 'Bench ' || n, (select id from keyfare.plan limit 1), now(), 1, now()
     from generate_series(1, $1) n`,
    [accounts],
  );
  const end = new AbortController();
  const order = (message: Order): void => void gate.child.send(message);
  const report = async (): Promise<void> => {
    while (!end.signal.aborted) {
      await database.query('select count(*), sum(length(payload)) from keyfare.entry, generate_series(1, 3)');
    }
  };
  const migrations = async (): Promise<void> => {
    while (!end.signal.aborted) await migrateGate(postgres.adminUrl);
  };
  order({ lists: 8 });
  const others = [report(), migrations()];
  const calls = atRateApart(good);
  const times: number[] = [];
  for (const secret of (gate.secrets ?? []).slice(1, revocations + 1)) {
    const headers = { authorization: `Bearer ${secret}` };
    const status = async (): Promise<number> => (await fetch(`${peer.url}/priced`, { headers })).status;
    if ((await status()) !== 200) throw new Error('a key was dead before it was revoked');
    const startedAt = performance.now();
    order({ revoke: secret.split('_')[2] ?? '' });
    while ((await status()) !== 401);
    times.push(performance.now() - startedAt);
  }
  order({ lists: 0 });
  end.abort();
  await Promise.all(others);
  await database.end();
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), calls: await calls };
}

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function someLetters(length: number): string {
  return Array.from(randomBytes(length), (byte) => letters[byte % letters.length]).join('');
}

/** A key that was never issued, with the checksum that it must have: letters and digits of a CRC-32. */
function madeUpKey(): string {
  const material = `kf_test_${someLetters(12)}_${someLetters(32)}`;
  let rest = crc32(material);
  let digits = '';
  for (let index = 0; index < 6; index += 1) {
    digits = `${letters[rest % letters.length]}${digits}`;
    rest = Math.floor(rest / letters.length);
  }
  return `${material}_${digits}`;
}
