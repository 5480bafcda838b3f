import { randomBytes, randomUUID } from 'node:crypto';
import { SqlPool } from '@keyfare/db/sql';
import { patience } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import type { Checkpoint, TimedTransfer } from '../src/chain/chain-reader.js';
import { ChainStore } from '../src/chain/chain-store.js';
import { readBillingConfig } from '../src/config.js';
import { continueLife } from '../src/intake/payment-life.js';
import { moveFinality } from '../src/match/match-payments.js';
import { matchLives, matchTransfers } from '../src/pipeline/match-lives.js';
import { readLives } from '../src/pipeline/payments.sql.js';
import { checkMatches } from '../src/reconcile/checks/matches.sql.js';
import { checkPayments, checkTransfers, type PaymentScope } from '../src/reconcile/checks/payments.sql.js';
import { billingRole } from '../src/schema.js';
import { awaitBooks } from '../src/turns.js';
import { openWorld, type World } from './world.js';

let world: World;
let processes: readonly [SqlPool, SqlPool];
let place = 0n;

beforeAll(async () => {
  world = await openWorld();
  const pool = (): SqlPool =>
    new SqlPool({ ...patience, url: world.database.url, applicationName: 'test', role: billingRole, poolSize: 2 });
  processes = [pool(), pool()];
}, 60_000);
afterAll(async () => {
  await Promise.all(processes.map(async (each) => each.close()));
  await world.close();
});

const now = new Date('2026-11-20T12:00:00Z');
const key = fc.integer({ min: 0, max: 2 });
const amount = fc.constantFrom(0n, 5n, 7n);
const entry = fc.oneof(
  fc.record({ outcome: fc.constantFrom('settled', 'settled', 'deferred', 'refund-due'), key, amount }),
  fc.record({ outcome: fc.constantFrom('settlement', 'reversed', 'unpaid'), key, amount: fc.constant(0n) }),
);
const move = fc.oneof(
  { weight: 4, arbitrary: fc.record({ block: fc.array(fc.record({ key, amount }), { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ reorg: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ final: fc.integer({ min: 1, max: 3 }) }) },
);
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

/** Keys and a wallet of their own, so that histories share the database and nothing else. */
function stage(env: Readonly<Record<string, string>>) {
  const payTo = `0x${randomBytes(20).toString('hex')}`;
  const payer = `0x${randomBytes(20).toString('hex')}`;
  const config = readBillingConfig({ ...env, PAY_TO: payTo });
  const { network } = config;
  const keyOf = (nonce: number) => ({
    network: network.caip2,
    asset: network.usdc.address,
    payer,
    nonce: `0x${nonce}`,
  });
  return { payTo, payer, config, keyOf, store: new ChainStore(config, network.usdc, payTo), watchToken: network.usdc };
}
type Stage = ReturnType<typeof stage>;

/** The log's side: each entry in its transaction, as the intake has it; what cannot go on so is not booked. */
async function enter(sql: SqlPool, { keyOf, payTo }: Stage, entries: readonly Entry[]): Promise<void> {
  for (const each of entries) {
    const paid = keyOf(each.key);
    await sql.transaction(async (tx) => {
      await awaitBooks(tx);
      const lives = [...(await readLives(tx, [paid])).values()];
      const bringsIn = ['settled', 'deferred', 'refund-due'].includes(each.outcome);
      const life = lives.at(-1);
      if (!bringsIn && life === undefined) return;
      const transaction = each.outcome === 'reversed' ? (life?.transaction ?? null) : `t${place}`;
      const row = {
        ...paid,
        entryId: randomUUID(),
        outcome: each.outcome as 'settled',
        callId: bringsIn ? null : (life?.base.entryId ?? null),
        payTo,
        amount: bringsIn ? each.amount : (life?.base.amount ?? 0n),
        transaction: each.outcome === 'deferred' || each.outcome === 'unpaid' ? null : transaction,
        sku: null,
        resourceUrl: null,
        reason: null,
        issuedAt: now,
        place: (place += 1n),
      };
      if (!bringsIn && life !== undefined && typeof continueLife(life, row) === 'string') return;
      await tx.query({
        text: `insert into billing.payment (entry_id, outcome, call_id, network, asset, payer, nonce, pay_to, amount,
          transaction, issued_at, place) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
        values: [
          row.entryId,
          row.outcome,
          row.callId,
          row.network,
          row.asset,
          row.payer,
          row.nonce,
          payTo,
          row.amount.toString(),
          row.transaction,
          now,
          row.place.toString(),
        ],
      });
      await matchLives(tx, [paid], { lives: await readLives(tx, [paid]), now });
    });
  }
}

/** The chain: blocks, blocks that are gone, and finality, each in its transaction, as the chain's step has it. */
async function follow(sql: SqlPool, { keyOf, payTo, payer, store }: Stage, moves: readonly Move[]): Promise<void> {
  const chain: Checkpoint[] = [{ number: 0n, hash: randomUUID(), time: now }];
  let finalized = 0n;
  const top = (): Checkpoint => chain.at(-1) as Checkpoint;
  const end = () => ({ head: top(), finalizedNumber: finalized, readAt: now });
  await sql.transaction(async (tx) => store.open(tx, { before: top(), opening: 0n, startBlock: 1n, end: end() }));
  for (const each of moves) {
    await sql.transaction(async (tx) => {
      await awaitBooks(tx);
      if ('block' in each) {
        const block = { number: top().number + 1n, hash: randomUUID(), time: now };
        chain.push(block);
        const transfers = each.block.map(({ key: nonce, amount: value }, logIndex) => ({
          asset: keyOf(nonce).asset,
          from: payer,
          to: payTo,
          value,
          authorization: { authorizer: payer, nonce: keyOf(nonce).nonce },
          blockNumber: block.number,
          blockHash: block.hash,
          blockTime: now,
          // One transaction, many payments.
          transactionHash: block.hash,
          logIndex,
          transactionFrom: payer,
          transactionFee: 1n,
        })) as unknown as readonly TimedTransfer[];
        const stored = await store.extend(tx, { blocks: [block], transfers }, { now });
        await matchTransfers(
          tx,
          stored.map(({ id }) => id),
          now,
        );
        await store.advance(tx, { reached: block, end: end() });
      } else if ('reorg' in each) {
        const depth = Math.min(each.reorg, Number(top().number - finalized));
        chain.splice(chain.length - depth, depth);
        await store.rollBack(tx, { to: top(), end: end(), now }, async (ids) => matchTransfers(tx, ids, now));
      } else {
        finalized = top().number < finalized + BigInt(each.final) ? top().number : finalized + BigInt(each.final);
        await store.advance(tx, { reached: top(), end: end() });
      }
      await moveFinality(tx, store.watch, now);
    });
  }
}

interface PaymentRow {
  readonly entry_id: string;
  readonly call_id: string | null;
  readonly outcome: string;
  readonly nonce: string;
  readonly amount: string;
}

/** The same, plainly: from the rows at the end. */
async function recompute({ payer, store }: Stage): Promise<{ matches: string[]; open: string[] }> {
  const entries = await world.rows<PaymentRow>('select * from billing.payment where payer = $1 order by place', [
    payer,
  ]);
  const transfers = await world.rows<{ id: string; nonce: string; value: string; final: boolean }>(
    `select t.id, nonce, value, t.block_number <= c.finalized_number as final
      from billing.chain_transfer t join billing.chain_cursor c using (watch)
      where watch = $1 and orphaned_at is null order by t.block_number, log_index`,
    [store.watch],
  );
  const found = { matches: [] as string[], open: [] as string[] };
  for (const nonce of new Set([...entries, ...transfers].map((row) => row.nonce))) {
    const ours = entries.filter((row) => row.nonce === nonce);
    const [first, ...repeated] = ours.filter((row) => row.call_id === null);
    const last = first && ours.findLast((row) => row.call_id === first.entry_id)?.outcome;
    const [transfer, ...more] = transfers.filter((row) => row.nonce === nonce);
    const moved =
      first !== undefined &&
      (first.outcome === 'deferred' ? last === 'settlement' : last === undefined || last === 'settlement');
    const least = Math.min(Number(first?.amount ?? 0), Number(transfer?.value ?? 0));
    if (moved && transfer !== undefined && least > 0) {
      found.matches.push(`${first.entry_id} ${transfer.id} ${least} ${transfer.final ? 'final' : 'provisional'}`);
    }
    const isVoid = first?.outcome === 'refund-due' && last === 'reversed' && transfer === undefined;
    // Of nothing that came in for nothing, nothing is open.
    const isNothing = ours.every((row) => row.call_id !== null) && transfer?.value === '0';
    const isDone = (moved && first.amount === transfer?.value) || isNothing;
    if (repeated.length + more.length > 0 || !(isVoid || isDone)) found.open.push(nonce);
  }
  return { matches: found.matches.toSorted(), open: found.open.toSorted() };
}

async function kept({ payer, store }: Stage): Promise<{ matches: string[]; open: string[] }> {
  const matches = await world.rows<{ text: string }>(
    `select concat_ws(' ', m.entry_id, m.transfer_id, m.amount, m.state) as text
      from billing.match m join billing.chain_transfer t on t.id = m.transfer_id
      where t.watch = $1 and m.state <> 'undone'`,
    [store.watch],
  );
  const open = await world.rows<{ nonce: string }>('select nonce from billing.open_payment where payer = $1', [payer]);
  return { matches: matches.map(({ text }) => text).toSorted(), open: open.map(({ nonce }) => nonce).toSorted() };
}

async function audit(): Promise<readonly { keys: Record<string, string>; detail: string }[]> {
  return world.rows(checkMatches().text);
}

/** What the checks of payments find, by class and subject. */
async function differences(scope: PaymentScope): Promise<readonly string[]> {
  const { network, payTo } = stage(world.env).config;
  const judgement = { graceSeconds: 0, entriesCompleteAsOf: new Date('2027-01-01'), network, payTo };
  const found: string[] = [];
  for (const { text, values } of [checkPayments(judgement, scope), checkTransfers(scope)]) {
    const rows = await world.rows<{ class: string; subject: string; detail: string }>(
      // A check's parameters begin at $3.
      `select class, subject, detail from (${text}) as found where $1::text is null and $2::text is null`,
      [null, null, ...values],
    );
    found.push(...rows.map((row) => `${row.class} ${row.subject} ${row.detail}`));
  }
  return found.toSorted();
}

it('whatever log and chain tell, in whatever order, by two processes: the matches are those of the rows', async () => {
  let matched = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { minLength: 4, maxLength: 14, size: 'max' }),
      fc.array(move, { minLength: 3, maxLength: 12, size: 'max' }),
      fc.constantFrom('at once', 'log first', 'chain first'),
      async (entries, moves, order) => {
        const on = stage(world.env);
        const log = async () => enter(processes[0], on, entries);
        const chain = async () => follow(processes[1], on, moves);
        if (order === 'at once') await Promise.all([log(), chain()]);
        else for (const work of order === 'log first' ? [log, chain] : [chain, log]) await work();
        const plain = await recompute(on);
        expect(await kept(on)).toEqual(plain);
        matched += plain.matches.length;
      },
    ),
    { numRuns: 60 },
  );
  expect(matched).toBeGreaterThan(20);
  expect(await audit()).toEqual([]);
  // What is open is all that there is to find.
  const open = await differences('open');
  expect(open.length).toBeGreaterThan(20);
  expect(open).toEqual(await differences('all'));
}, 120_000);

it('an audit finds a match that is missing, wrong, too much or less final, and a payment that is kept wrongly', async () => {
  const on = stage(world.env);
  const settled = (nonce: number): Entry => ({ outcome: 'settled', key: nonce, amount: 5n });
  await enter(processes[0], on, [0, 1, 2, 3].map(settled));
  await follow(processes[1], on, [{ block: [0, 1, 2].map((nonce) => ({ key: nonce, amount: 5n })) }]);
  expect(await audit()).toEqual([]);
  const of = (nonce: number): string =>
    `(select entry_id from billing.payment where payer = '${on.payer}' and nonce = '0x${nonce}')`;
  await world.sql.transaction(async (tx) => {
    for (const text of [
      'set local session_replication_role = replica',
      `delete from billing.match where entry_id = ${of(0)}`,
      `update billing.match set amount = 4 where entry_id = ${of(1)}`,
      `update billing.match set state = 'final', final_at = now() where entry_id = ${of(2)}`,
      `insert into billing.match (id, entry_id, transfer_id, asset, amount, state, rule, matched_at)
        values (gen_random_uuid(), ${of(3)}, gen_random_uuid(), 'USDC', 5, 'provisional', 'authorization', now())`,
      `delete from billing.open_payment where payer = '${on.payer}'`,
    ]) {
      await tx.query({ text });
    }
  });
  expect((await audit()).map(({ detail }) => detail).toSorted()).toEqual([
    'Something of the payment is open, and the books take it for done.',
    'The books have a match that no entry and transfer explain.',
    'The entry and the transfer are one payment; the books have no match of them.',
    'The match is not as final as the block of its transfer.',
    'The match is of another amount than its two sides have.',
  ]);
});

it('a match is never deleted, and what it is of never changes', async () => {
  const on = stage(world.env);
  await enter(processes[0], on, [{ outcome: 'settled', key: 0, amount: 5n }]);
  await follow(processes[1], on, [{ block: [{ key: 0, amount: 5n }] }]);
  for (const text of ['update billing.match set amount = 6', 'delete from billing.match', 'truncate billing.match']) {
    await expect(world.sql.query({ text })).rejects.toMatchObject({ code: 'KF002' });
    await expect(processes[0].query({ text })).rejects.toMatchObject({ code: '42501' });
  }
});
