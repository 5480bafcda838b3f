import { expect, it } from '@jest/globals';
import type { PlanTerms, Quote } from '@keyfare/core/metering';
import type { SqlPool } from '@keyfare/db/sql';
import type { GateConfig } from '../config.js';
import { ReplicaId } from '../replica-id.js';
import { Bucket } from './bucket.js';
import { Leases } from './leases.js';
import { MeterService } from './meter.service.js';

it('serves a call that comes into the line at the very moment when the last one was served', async () => {
  const query = async (): Promise<readonly object[]> => [{ units: '1', unused: '9', others_hold: false }];
  const leases = new Leases({ query } as unknown as SqlPool, 'replica');
  const bucket = new Bucket('account', new Date(0));
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
  let asked = 0;
  const query = async (): Promise<readonly object[]> => {
    asked += 1;
    return [{ units: '0', unused: '0', others_hold: false }];
  };
  const config = { clock: () => new Date('2026-11-26T00:00:00Z') } as GateConfig;
  const sql = { query, transaction: async (work: (tx: unknown) => Promise<void>) => work({ query }) };
  const meter = new MeterService(config, sql as unknown as SqlPool, new ReplicaId());
  const plan = { overage: 'reject', includedUnits: 5n } as PlanTerms;
  const hold = async (): Promise<unknown> =>
    meter.hold({ accountId: 'account', plan }, { units: 1n } as Quote, config.clock());
  expect(await hold()).toBe('exhausted');
  const once = asked;
  for (let attempt = 0; attempt < 50; attempt += 1) expect(await hold()).toBe('exhausted');
  expect(asked).toBe(once);
});

it('finds the units of calls that were posted while others were returned', async () => {
  const returns: unknown[][] = [];
  const query = async ({ values }: { values?: readonly unknown[] }): Promise<readonly object[]> => {
    returns.push([...(values ?? [])]);
    return [];
  };
  const leases = new Leases({ query } as unknown as SqlPool, 'replica');
  const bucket = new Bucket('account', new Date(0));
  Object.assign(bucket, { leased: true, free: 6n, held: 4n });
  const returning = leases.giveBack(bucket);
  bucket.held -= 2n; // posted before the return reached the database
  await returning;
  expect(bucket.loose).toBe(true);
  bucket.held -= 2n;
  await leases.giveBack(bucket);
  expect(returns.map((values) => values[3])).toEqual(['4', '0']);
  expect([bucket.loose, bucket.leased]).toEqual([false, false]);
});
