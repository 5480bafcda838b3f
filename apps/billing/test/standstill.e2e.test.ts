import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { RatingService } from '../src/rating/rating.service.js';
import { goodBusiness, type Market, openMarket, payTo } from './market.js';
import { settle } from './payments.js';
import { expectMetrics, type Service, settled, startService } from './service.js';
import type { World } from './world.js';

let market: Market;
let world: World;

beforeEach(async () => {
  market = await openMarket();
  ({ world } = market);
}, 60_000);
afterEach(async () => market.close());

const impatient = { RECONCILE_WAIT_SECONDS: '0' };

/** Nobody gives entries their places while the work is done. */
async function withoutSequencer(work: () => Promise<void>): Promise<void> {
  world.log.paused = true;
  await work();
  world.log.paused = false;
}

/** A session of somebody on the same server is left open in a transaction while the work is done. */
async function whileIdleInTransaction(work: () => Promise<void>): Promise<void> {
  await world.log.transaction(async (tx) => {
    await tx.query({ text: 'select pg_current_xact_id()' });
    await work();
  });
}

describe('a transaction that is left open on the same server', () => {
  it('delays neither intake nor reconciliation: the run is complete, and finds what is missing', async () => {
    const { node, payer } = market;
    await goodBusiness(market);
    await whileIdleInTransaction(async () => {
      await settle(node, [{ payer, payTo, amount: 500n }]);
      await world.log.keyCall('acct_1');
      world.clock.advance(400_000);
      const { report } = await market.run();
      expect(report).toMatchObject({ entries: { complete: true, good: 15 }, unchecked: [] });
      expect(await market.openBreaks()).toEqual(['settled-not-recorded: 500']);
    });
  }, 30_000);

  it('and a reconciliation that goes on there keep nothing out of the books', async () => {
    await goodBusiness(market);
    await market.run();
    // A run holds this lock for as long as it works, and reads by one snapshot meanwhile.
    await world.sql.transaction(async (tx) => {
      await tx.query({ text: 'set transaction isolation level repeatable read' });
      await tx.query({ text: 'lock table billing.break in share row exclusive mode' });
      await tx.query({ text: 'select count(*) from billing.entry' });
      const id = await world.log.keyCall('acct_1');
      const reader = market.books();
      await reader.readAll();
      expect(await reader.chainJob.catchUp(100_000)).toBe('current');
      expect(await world.rows('select 1 as booked from billing.charge where entry_id = $1', [id])).toEqual([
        { booked: 1 },
      ]);
    });
  }, 30_000);
});

describe('a log that cannot be read to its end', () => {
  it('is no clean books: intake-stalled after the bound, though nothing is down, and over when it is caught up', async () => {
    const { node, payer } = market;
    await goodBusiness(market);
    await market.run();
    const reader = market.books({ env: impatient });
    await withoutSequencer(async () => {
      await settle(node, [{ payer, payTo, amount: 500n }]);
      await world.log.keyCall('acct_1');
      world.clock.advance(200_000);
      expect((await reader.reconcileJob.run('manual')).report.entries.complete).toBe(false);
      expect(await market.openBreaks()).toEqual([]);
      world.clock.advance(200_000);
      await reader.reconcileJob.run('manual');
      // The transfer that no entry records is not found, for its entry may be among those that are held back.
      expect(await market.openBreaks()).toEqual(['intake-stalled']);
    });
    await market.run();
    expect(await market.openBreaks()).toEqual(['settled-not-recorded: 500']);
    expect(
      await world.rows(`select status, resolved_by, side from billing.break where class = 'intake-stalled'`),
    ).toEqual([{ status: 'resolved', resolved_by: 'system', side: 'receipt' }]);
  }, 30_000);

  it('because of a fault in the program is no outage: the run is kept, its breaks too, and the fault is thrown', async () => {
    await goodBusiness(market);
    await market.run();
    await world.log.keyCall('acct_1');
    class Broken extends RatingService {
      override async rate(): Promise<never> {
        throw new RangeError('no such amount');
      }
    }
    const broken = market.books({ rating: new Broken() });
    world.clock.advance(301_000);
    await expect(broken.reconcileJob.run('schedule')).rejects.toThrow('no such amount');
    expect(await market.openBreaks()).toEqual(['intake-stalled']);
    expect(
      await world.rows(`select report -> 'entries' ->> 'complete' as complete from billing.reconciliation
      where trigger = 'schedule'`),
    ).toEqual([{ complete: 'false' }]);
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
  });
});

describe('the watch', () => {
  let service: Service;
  afterEach(async () => service.close());

  interface Ready {
    readonly status: string;
    readonly standstills: readonly { readonly class: string; readonly since: string }[];
  }
  const ready = async (): Promise<Ready> => (await service.call('/readyz', { token: null })).body;

  it('is told what stands still and since when, and that it goes on', async () => {
    service = await startService(world, { RPC_URL: 'http://127.0.0.1:9' });
    const begun = world.clock().toISOString();
    await world.log.terms('acct_1');
    const entries = async (): Promise<number> => (await world.rows('select 1 from billing.entry')).length;
    expect(await settled(entries, 1)).toBe(1);
    await withoutSequencer(async () => {
      // The log is complete as of now, until a later entry is asked for.
      await world.log.keyCall('acct_1');
      world.clock.advance(400_000);
      expect(await ready()).toMatchObject({
        status: 'degraded',
        feed: 'up',
        standstills: [
          { class: 'intake-stalled', since: begun },
          { class: 'chain-stalled', since: begun },
        ],
      });
      await expectMetrics(service, [
        /^keyfare_billing_standstill_seconds\{class="intake-stalled"\} 400$/m,
        /^keyfare_billing_standstill_seconds\{class="chain-rewritten"\} 0$/m,
        /^keyfare_billing_intake_lag_seconds 400$/m,
        /^keyfare_billing_step_failures_total\{loop="chain"\} [1-9]\d*$/m,
      ]);
    });
    const classes = async (): Promise<string> => (await ready()).standstills.map((each) => each.class).join();
    expect(await settled(classes, 'chain-stalled')).toBe('chain-stalled');
  }, 30_000);
});
