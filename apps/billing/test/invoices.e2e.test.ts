import { errorCode } from '@keyfare/db/sql';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { ReconcileJob } from '../src/pipeline/reconcile.job.js';
import { type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

let world: World;
const services: Service[] = [];

beforeEach(async () => {
  world = await openWorld();
  world.clock.set('2026-10-01T00:00:00Z');
  // Months are those of UTC, wherever the server of the database believes to be.
  await world.rows(`alter database ${world.database.name} set timezone to 'Pacific/Auckland'`);
}, 60_000);
afterEach(async () => {
  await Promise.all(services.splice(0).map(async (service) => service.close()));
  await world.close();
});

async function start(): Promise<Service> {
  const service = await startService(world);
  services.push(service);
  return service;
}

async function stop(): Promise<void> {
  await Promise.all(services.splice(0).map(async (service) => service.close()));
}

/**
 * Books every entry that was written before, and compares. The breaks that are open then, by class and amount, but for
 * those of standstills: there is no chain here, and the clock jumps while the service takes a step.
 */
async function reconcile(service: Service): Promise<readonly string[]> {
  await service.app.get(ReconcileJob).run('manual');
  const rows = await world.rows<{ class: string; amount: string | null }>(
    `select class, amount from billing.break where status = 'open' and class not in ('chain-stalled', 'intake-stalled') order by class, amount`,
  );
  return rows.map((row) => `${row.class} ${row.amount ?? ''}`.trim());
}

/** `account month: receipts, total`. */
async function invoices(): Promise<readonly string[]> {
  const rows = await world.rows<{ line: string }>(
    `select account || ' ' || to_char(period_start at time zone 'utc', 'YYYY-MM') || ': ' || receipts || ', ' || total as line
      from billing.invoice order by period_start, account`,
  );
  return rows.map(({ line }) => line);
}

describe('a month that is over', () => {
  it('is drafted at the next start, for every account and whole, though one of its drafts was drawn in its course', async () => {
    const { log, clock } = world;
    const october = await start();
    await log.terms('acct_1', { includedUnits: '0' });
    await log.terms('acct_2');
    await log.keyCall('acct_1');
    await reconcile(october);
    await october.call('/invoices', { body: { account: 'acct_1', month: '2026-10' } });
    expect(await invoices()).toEqual(['acct_1 2026-10: 1, 10000250']);
    clock.set('2026-10-31T23:59:59Z');
    await log.keyCall('acct_1');
    await log.terms('acct_3', { effectiveAt: clock().getTime() / 1_000, monthlyPrice: '0' });
    await reconcile(october);
    await stop();
    clock.set('2026-11-03T12:00:00Z');
    await start();
    expect(await settled(async () => (await invoices()).length, 2)).toBe(2);
    // Nothing for an account that called nothing and pays nothing.
    expect(await invoices()).toEqual(['acct_1 2026-10: 2, 10000500', 'acct_2 2026-10: 0, 10000000']);
    clock.set('2026-11-05T00:00:00Z');
    expect(await reconcile(services[0] as Service)).toEqual([]);
    const idle = { body: { account: 'acct_3', month: '2026-10' } };
    expect(await services[0]?.call('/invoices', idle)).toMatchObject({
      status: 404,
      body: { code: 'invoice/not-found' },
    });
  }, 30_000);

  it('is drafted months later too, when nobody was there in between', async () => {
    const service = await start();
    await world.log.terms('acct_1');
    await reconcile(service);
    world.clock.set('2027-01-05T00:00:00Z');
    const drafts = service.app.get(DraftsJob);
    const stopping = new AbortController();
    stopping.abort();
    await expect(drafts.run(stopping.signal)).rejects.toBe(stopping.signal.reason);
    expect(await drafts.run()).toBe(3);
    expect(await invoices()).toEqual([
      'acct_1 2026-10: 0, 10000000',
      'acct_1 2026-11: 0, 10000000',
      'acct_1 2026-12: 0, 10000000',
    ]);
  }, 30_000);

  it('has on its next draft what was read late: calls and terms, also of months before the last', async () => {
    const { log, clock } = world;
    const service = await start();
    const drafts = service.app.get(DraftsJob);
    await log.terms('acct_1', { includedUnits: '0' });
    await reconcile(service);
    clock.set('2026-12-01T03:00:00Z');
    await drafts.run();
    await log.keyCall('acct_1', { at: new Date('2026-10-31T23:59:59.999Z') });
    await log.keyCall('acct_1', { at: new Date('2026-11-01T00:00:00.000Z') });
    const change = Date.parse('2026-11-16T00:00:00Z') / 1_000;
    await log.terms('acct_1', { slug: 'pro', monthlyPrice: '30000000', effectiveAt: change });
    await reconcile(service);
    await drafts.run();
    expect(await invoices()).toEqual(['acct_1 2026-10: 1, 10000250', 'acct_1 2026-11: 1, 20000250']);
  }, 30_000);

  it('is drafted as the same again: nothing of its invoices and lines changes', async () => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1', { includedUnits: '1' });
    for (let call = 0; call < 4; call += 1)
      await log.keyCall('acct_1', { sku: call % 2 === 0 ? 'forecast' : 'distances' });
    await reconcile(service);
    clock.set('2026-11-02T03:00:00Z');
    await service.app.get(DraftsJob).run();
    const content = async (): Promise<unknown> => [
      await world.rows('select * from billing.invoice'),
      await world.rows('select ctid, * from billing.invoice_line order by line'),
    ];
    const before = await content();
    clock.set('2026-11-03T03:00:00Z');
    expect(await service.app.get(DraftsJob).run()).toBe(0);
    expect(await service.call('/invoices', { body: { account: 'acct_1', month: '2026-10' } })).toMatchObject({
      status: 200,
      body: { running: false, asOf: null },
    });
    expect(await content()).toEqual(before);
  }, 30_000);

  it('has a call from just before the first terms, by a clock that was behind, on an invoice without a plan', async () => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1', { includedUnits: '0' });
    await log.keyCall('acct_1', { at: new Date('2026-09-30T23:59:59Z') });
    await reconcile(service);
    clock.set('2026-11-01T03:00:00Z');
    await service.app.get(DraftsJob).run();
    expect(await invoices()).toEqual(['acct_1 2026-09: 1, 250', 'acct_1 2026-10: 0, 10000000']);
    clock.set('2026-11-03T00:00:00Z');
    expect(await reconcile(service)).toEqual([]);
  }, 30_000);

  it('is drafted for every account but those whose draft fails; the job says so, and is tried again', async () => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1', { includedUnits: '0', monthlyPrice: '9'.repeat(78) });
    await log.terms('acct_2');
    await log.keyCall('acct_1');
    await reconcile(service);
    clock.set('2026-11-02T03:00:00Z');
    await expect(service.app.get(DraftsJob).run()).rejects.toThrow('1 of 2 drafts');
    expect(await invoices()).toEqual(['acct_2 2026-10: 0, 10000000']);
  }, 30_000);
});

describe('an account whose contract ended', () => {
  const end = '2026-10-16T12:00:00Z';
  const endsAt = Date.parse(end) / 1_000;
  const at = (time: string): { at: Date } => ({ at: new Date(time) });

  it('gets its last draft as soon as the log was read past the end, and pays for its plan up to it', async () => {
    const { log, clock } = world;
    const service = await start();
    const drafts = service.app.get(DraftsJob);
    await log.terms('acct_1', { includedUnits: '0', endsAt });
    await log.terms('acct_2');
    await log.keyCall('acct_1');
    await reconcile(service);
    expect(await drafts.run()).toBe(0);
    clock.set('2026-10-16T12:00:01Z');
    await reconcile(service);
    expect(await drafts.run()).toBe(1);
    expect(await invoices()).toEqual(['acct_1 2026-10: 1, 5000250']);
    // A call that was made before and read late is on the next draft; nothing else is drawn up in the running month.
    await log.keyCall('acct_1', at('2026-10-16T11:59:59.999Z'));
    await reconcile(service);
    expect(await drafts.run()).toBe(1);
    expect(await drafts.run()).toBe(0);
    expect(await invoices()).toEqual(['acct_1 2026-10: 2, 5000500']);
    clock.set('2026-12-02T03:00:00Z');
    await reconcile(service);
    await drafts.run();
    expect(await invoices()).toEqual([
      'acct_1 2026-10: 2, 5000500',
      'acct_2 2026-10: 0, 10000000',
      'acct_2 2026-11: 0, 10000000',
    ]);
    expect(await reconcile(service)).toEqual([]);
    const later = await service.call('/invoices', { body: { account: 'acct_1', month: '2026-11' } });
    expect(later).toMatchObject({ status: 404, body: { code: 'invoice/not-found' } });
  }, 30_000);

  it('and is closed at once: the terms that close it change what the drafted month comes to', async () => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1');
    await reconcile(service);
    const draft = async (): Promise<unknown> =>
      (await service.call('/invoices', { body: { account: 'acct_1', month: '2026-10' } })).body;
    expect(await draft()).toMatchObject({ total: '10.000000' });
    clock.set(end);
    await log.terms('acct_1', { effectiveAt: endsAt, endsAt });
    clock.set('2026-10-16T12:00:05Z');
    await reconcile(service);
    expect(await service.app.get(DraftsJob).run()).toBe(1);
    expect(await draft()).toMatchObject({
      total: '5.000000',
      lines: [{ description: 'Plan starter, version 1: 2026-10-01T00:00:00.000Z to 2026-10-16T12:00:00.000Z' }],
    });
  }, 30_000);

  it('and whose last draft is missing a day later is a break: invoice-stale', async () => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1', { endsAt });
    await reconcile(service);
    clock.set('2026-10-17T11:59:00Z');
    expect(await reconcile(service)).toEqual([]);
    clock.set('2026-10-17T12:01:00Z');
    expect(await reconcile(service)).toEqual(['invoice-stale 0']);
    await service.app.get(DraftsJob).run();
    expect(await reconcile(service)).toEqual([]);
  }, 30_000);

  it('is charged for no call made at or after the end: each is kept, counted as usage, and a break: account-ended', async () => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1', { includedUnits: '0', endsAt });
    clock.set(end);
    await log.keyCall('acct_1', at('2026-10-16T11:59:59.999Z'));
    const late = [await log.keyCall('acct_1'), await log.keyCall('acct_1', at('2026-10-16T12:00:00.001Z'))];
    expect(await reconcile(service)).toEqual(['account-ended', 'account-ended']);
    expect(
      await world.rows(`select keys ->> 'entry' as entry, side from billing.break order by first_seen, id`),
    ).toEqual(expect.arrayContaining(late.map((entry) => ({ entry, side: 'usage' }))));
    expect(await world.rows('select units from billing.charge')).toHaveLength(1);
    expect(await world.rows(`select fault from billing.entry where fault is not null`)).toEqual([
      { fault: 'account-ended' },
      { fault: 'account-ended' },
    ]);
    // Nor can one be charged past the intake.
    await world.sql.transaction(async (tx) => {
      await tx.query({ text: 'set local session_replication_role = replica' });
      await tx.query({ text: 'update billing.entry set fault = null where id = $1', values: [late[0]] });
      await tx.query({
        text: `insert into billing.charge select $1::uuid, c.rail, c.account, c.payer, c.sku, c.units, c.included, c.overage,
            c.unit_price, c.asset, c.amount, c.terms_id, c.period_start, e.usage_occurred_at, e.place
          from billing.charge c join billing.entry e on e.id = $1::uuid`,
        values: [late[0]],
      });
    });
    expect(await reconcile(service)).toContain('ledger-mismatch 250');
    await world.sql.transaction(async (tx) => {
      await tx.query({ text: 'set local session_replication_role = replica' });
      await tx.query({ text: `update billing.entry set fault = 'account-ended' where id = $1`, values: [late[0]] });
      await tx.query({ text: 'delete from billing.charge where entry_id = $1', values: [late[0]] });
    });
    // The end is agreed anew: what is sold from then on is charged again.
    clock.set('2026-10-20T00:00:00Z');
    await log.terms('acct_1', { includedUnits: '0' });
    await log.keyCall('acct_1');
    await reconcile(service);
    expect(await world.rows('select units from billing.charge')).toHaveLength(2);
  }, 30_000);
});

describe('reconciliation of invoices', () => {
  it('finds a month without an invoice, and a draft that lacks a call or an amount, by the next day: invoice-stale', async () => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1', { includedUnits: '0' });
    await log.keyCall('acct_1');
    expect(await reconcile(service)).toEqual([]);
    clock.set('2026-11-01T23:59:00Z');
    expect(await reconcile(service)).toEqual([]);
    clock.set('2026-11-02T00:01:00Z');
    expect(await reconcile(service)).toEqual(['invoice-stale 250']);
    await service.app.get(DraftsJob).run();
    expect(await reconcile(service)).toEqual([]);

    await log.keyCall('acct_1', { units: 3, at: new Date('2026-10-20T00:00:00Z') });
    expect(await reconcile(service)).toEqual([]);
    clock.set('2026-11-03T00:01:00Z');
    expect(await reconcile(service)).toEqual(['invoice-stale 750']);
    expect(
      await world.rows(`select keys, detail from billing.break where class = 'invoice-stale' and status = 'open'`),
    ).toEqual([
      {
        keys: { account: 'acct_1', month: '2026-10', invoice: expect.any(String) },
        detail:
          'The invoice (draft) covers 1 of 2 calls and 1 of 1 terms, and 250 of 1000 micro-dollars for units beyond the plan.',
      },
    ]);
    await service.app.get(DraftsJob).run();
    expect(await reconcile(service)).toEqual([]);

    await world.rows('update billing.invoice set total = total + 1');
    expect(await reconcile(service)).toEqual(['invoice-stale 0']);
  }, 30_000);

  it('finds a late call that no draft can take in any more, because the invoice is final: invoice-stale', async () => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1', { includedUnits: '0' });
    await reconcile(service);
    clock.set('2026-11-01T03:00:00Z');
    await service.app.get(DraftsJob).run();
    await world.rows(`update billing.invoice set state = 'final', number = '2026-0001'`);
    await log.keyCall('acct_1', { at: new Date('2026-10-20T00:00:00Z') });
    await reconcile(service);
    expect(await service.app.get(DraftsJob).run()).toBe(0);
    clock.set('2026-11-03T00:00:00Z');
    expect(await reconcile(service)).toEqual(['invoice-stale 250']);
  }, 30_000);
});

describe('an invoice that is no draft any more', () => {
  it('changes in nothing but its state, and that goes forward only, whoever writes', async () => {
    const service = await start();
    await world.log.terms('acct_1');
    await reconcile(service);
    await service.call('/invoices', { body: { account: 'acct_1', month: '2026-10' } });
    const refusal = async (change: string): Promise<string | undefined> =>
      world.rows(`update billing.invoice set ${change}`).then(
        () => undefined,
        (error: unknown) => errorCode(error),
      );
    expect(await refusal(`state = 'final', number = '2026-0001'`)).toBeUndefined();
    for (const change of ['total = 0', `number = '2026-0002'`, `state = 'draft', number = null`, 'payable_cents = 1']) {
      expect([change, await refusal(change)]).toEqual([change, 'KF002']);
    }
    expect(await refusal(`state = 'paid'`)).toBeUndefined();
    expect(await refusal(`state = 'final'`)).toBe('KF002');
  });
});

describe('a unit beyond a plan that does not invoice it', () => {
  it.each(['reject', 'x402'] as const)('(%s) costs nothing, and is a break: units-over-limit', async (overage) => {
    const { log, clock } = world;
    const service = await start();
    await log.terms('acct_1', { includedUnits: '100' });
    await log.keyCall('acct_1', { units: 40 });
    clock.set('2026-10-05T12:00:00Z');
    await log.terms('acct_1', { includedUnits: '10', overage, planVersion: 2, monthlyPrice: '0' });
    await log.keyCall('acct_1', { units: 2 });
    await log.keyCall('acct_1', { units: 3 });
    expect(await reconcile(service)).toEqual(['units-over-limit']);
    expect(await world.rows(`select keys, detail from billing.break where class = 'units-over-limit'`)).toMatchObject([
      {
        keys: { account: 'acct_1', day: '2026-10-05', plan: 'starter' },
        detail: 'Units were served beyond the limit of the plan, which does not invoice them: 5.',
      },
    ]);
    expect(
      await world.rows('select sum(overage)::int as overage, sum(amount)::int as amount from billing.charge'),
    ).toEqual([{ overage: 5, amount: 0 }]);
    expect(await world.rows('select 1 from billing.ledger_line')).toEqual([]);
    const { body } = await service.call('/invoices', { body: { account: 'acct_1', month: '2026-10' } });
    expect((body as { lines: { kind: string }[] }).lines.filter(({ kind }) => kind !== 'plan')).toMatchObject([
      { kind: 'included', quantity: '40' },
      { kind: 'overage', quantity: '5', unitPrice: '0.000000', amount: '0.000000' },
    ]);
  });
});
