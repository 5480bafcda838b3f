import type { PlanTerms } from '@keyfare/core/metering';
import type { SqlPool, Statement } from '@keyfare/db/sql';
import { expect, it } from '@keyfare/jest-preset/globals';
import type { GateConfig } from '../config.js';
import { ReplicaId } from '../replica-id.js';
import { Bucket } from './bucket.js';
import { Leases } from './leases.js';
import { MeterService } from './meter.service.js';

/** A database that answers each item of a statement about leases alike, and remembers what it was told. */
function answering(units: string, unused: string): { sql: SqlPool; said: Statement[] } {
  const said: Statement[] = [];
  const query = async (statement: Statement): Promise<readonly object[]> => {
    if (statement.name !== 'keyfare_settle_leases') return [];
    said.push(statement);
    const [, accounts, periods] = (statement.values ?? []) as [string, string[], string[]];
    return accounts.map((account_id, index) => ({
      account_id,
      period_start: new Date(periods[index] ?? 0),
      units,
      unused,
      others_hold: false,
    }));
  };
  const transaction = async (work: (tx: unknown) => Promise<void>): Promise<void> => work({ query });
  return { sql: { query, transaction } as unknown as SqlPool, said };
}

function newBucket(replica: ReplicaId): Bucket {
  return new Bucket({ accountId: 'account', periodStart: new Date(0), writer: replica.id, post: 0n });
}

const plan = { overage: 'reject', includedUnits: 5n } as PlanTerms;
const config = { clock: () => new Date('2026-11-26T00:00:00Z') } as GateConfig;

it('serves a call that comes into the line at the very moment when the last one was served', async () => {
  const replica = new ReplicaId();
  const leases = new Leases(answering('1', '9').sql, replica);
  const bucket = newBucket(replica);
  const next = bucket.wait(1n).then(() => {
    const answer = bucket.wait(1n);
    leases.serve(bucket);
    return answer;
  });
  leases.serve(bucket);
  expect(await next).toBe('granted');
  expect([bucket.free, bucket.held]).toEqual([0n, 2n]);
});

it('asks the database once, not for each try, when a month is used up', async () => {
  const { sql, said } = answering('0', '0');
  const meter = new MeterService(config, sql, new ReplicaId());
  const hold = async (): Promise<unknown> => meter.hold({ accountId: 'account', plan }, 1n, config.clock());
  expect(await hold()).toBe('exhausted');
  for (let attempt = 0; attempt < 50; attempt += 1) expect(await hold()).toBe('exhausted');
  expect(said).toHaveLength(1);
});

it('says of a return what was posted and what calls still hold, and closes the lease when they have ended', async () => {
  const replica = new ReplicaId();
  const { sql, said } = answering('0', '9');
  const leases = new Leases(sql, replica);
  const bucket = newBucket(replica);
  Object.assign(bucket, { isOpen: true, free: 6n, held: 4n, used: 3n, post: 7n });
  await leases.giveBack(bucket);
  expect([bucket.isOpen, bucket.free, bucket.isDirty]).toEqual([true, 0n, false]);
  bucket.end({ units: 4n, leased: true }, 4n);
  await leases.giveBack(bucket);
  expect(bucket.isOpen).toBe(false);
  // used, post, keep, beyond, wanted, open
  const numbers = said.map(({ values = [] }) => values.slice(4, 10).map((column) => (column as unknown[])[0]));
  expect(numbers).toEqual([
    ['3', '7', '4', '0', '0', true],
    ['7', '7', '0', '0', '0', false],
  ]);
});

it.each(['fold', 'ask'] as const)(
  'gives back what is idle also while another statement (%s) is under way',
  async (other) => {
    const replica = new ReplicaId();
    const { sql, said } = answering(other === 'ask' ? '6' : '0', '9');
    const leases = new Leases(sql, replica);
    const bucket = newBucket(replica);
    Object.assign(bucket, { isOpen: true, free: other === 'ask' ? 0n : 6n, used: 3n, post: 7n });
    if (other === 'ask') {
      void bucket.wait(1n).then(() => bucket.end({ units: 1n, leased: true }, 1n));
      leases.serve(bucket);
    }
    await Promise.all([other === 'ask' ? bucket.asking : leases.fold(bucket), leases.giveBack(bucket)]);
    expect(said).toHaveLength(2);
    const [free, isOpen, keep] = [bucket.free, bucket.isOpen, said[1]?.values?.[6]];
    expect({ free, isOpen, keep }).toEqual({ free: 0n, isOpen: false, keep: ['0'] });
  },
);

it('returns the idle leases of 1,000 accounts in a few statements, not one for each', async () => {
  const replica = new ReplicaId();
  const { sql, said } = answering('1', '9');
  const meter = new MeterService(config, sql, replica);
  const accounts = Array.from({ length: 1_000 }, (_, index) => `account ${index}`);
  const holds = await Promise.all(
    accounts.map(async (accountId) => meter.hold({ accountId, plan }, 1n, config.clock())),
  );
  const asked = said.length;
  for (const hold of holds) if (typeof hold !== 'string') meter.void(hold);
  await Promise.all(accounts.map((accountId) => meter.giveBack(accountId)));
  expect(said.length - asked).toBeLessThan(10);
});
