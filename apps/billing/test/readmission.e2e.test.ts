import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { makeSigner, sha256 } from './log-documents.js';
import { makeOperator, type Service, settled, startService } from './service.js';
import { type Books, bookContent, openBooks, openWorld, type World } from './world.js';

const payer = `0x${'b'.repeat(40)}`;
const payTo = `0x${'a'.repeat(40)}`;
let world: World;
const open: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  world = await openWorld({ PAY_TO: payTo });
}, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (each) => each.close()));
  await world.close();
});

function books(): Books {
  const opened = openBooks(world);
  open.push(opened);
  return opened;
}

async function service(): Promise<Service> {
  const started = await startService(world);
  open.push(started);
  return started;
}

async function faults(): Promise<readonly (string | null)[]> {
  const rows = await world.rows<{ fault: string | null }>('select fault from billing.entry order by place');
  return rows.map(({ fault }) => fault);
}

/** Entries signed by a key that the API does not show, given up by the intake; what comes after them is booked. */
async function writeUnknown(write: () => Promise<unknown>): Promise<{ readonly publish: () => void }> {
  const { log } = world;
  const known = log.signer;
  const late = makeSigner();
  log.signer = late.signer;
  await write();
  log.signer = known;
  return { publish: () => void log.keys.push(late.jwk) };
}

async function giveUp(reader: Books): Promise<void> {
  while ((await reader.intakeJob.step()) !== 'waiting');
  world.clock.advance(121_000);
  await reader.readAll();
}

async function openBreaks(reader: Books): Promise<readonly string[]> {
  await reader.reconcileJob.run('manual');
  const rows = await world.rows<{ class: string }>("select class from billing.break where status = 'open' order by id");
  return rows.map(({ class: name }) => name).filter((name) => name !== 'meter-mismatch');
}

describe('an entry whose key appears late', () => {
  it('is booked by itself, after what was read before it, and its break closes', async () => {
    const { log } = world;
    await log.terms('acct_1', { includedUnits: '5' });
    const { publish } = await writeUnknown(async () => log.keyCall('acct_1', { units: 4 }));
    await log.keyCall('acct_1', { units: 3 });
    const reader = books();
    await giveUp(reader);
    expect(await faults()).toEqual([null, 'receipt-invalid', null]);
    expect(await openBreaks(reader)).toContain('receipt-invalid');
    publish();
    world.clock.advance(31_000);
    await Promise.all([reader, books()].map(async ({ intakeJob }) => intakeJob.step()));
    expect(await faults()).toEqual([null, null, null]);
    expect(await world.rows('select units, included, overage from billing.charge order by place')).toEqual([
      { units: '4', included: '2', overage: '2' },
      { units: '3', included: '3', overage: '0' },
    ]);
    expect(await world.rows('select by, after_place, fault from billing.readmission')).toEqual([
      { by: 'system', after_place: '3', fault: 'receipt-invalid' },
    ]);
    expect(await openBreaks(reader)).toEqual([]);
  }, 60_000);

  it('brings its payment and its terms into the books', async () => {
    const { log } = world;
    await log.terms('acct_1', { includedUnits: '0', overagePrice: '10' });
    const { publish } = await writeUnknown(async () => {
      await log.terms('acct_1', { includedUnits: '0', overagePrice: '20' });
      await log.paidCall({ payer, payTo, amount: 1_500n });
    });
    await log.keyCall('acct_1', { units: 1 });
    const reader = books();
    await giveUp(reader);
    publish();
    world.clock.advance(31_000);
    await reader.intakeJob.step();
    await log.keyCall('acct_1', { units: 1 });
    await reader.readAll();
    expect(await world.rows('select rail, amount from billing.charge order by place')).toEqual([
      { rail: 'x402', amount: '1500' },
      { rail: 'key', amount: '10' },
      { rail: 'key', amount: '20' },
    ]);
    expect(await world.rows('select amount from billing.payment')).toEqual([{ amount: '1500' }]);
    expect(await openBreaks(reader)).not.toContain('ledger-mismatch');
  }, 60_000);
});

describe('an operator', () => {
  it('lists refused entries and readmits one when its reason is gone, once for each key', async () => {
    const { log } = world;
    const id = await log.keyCall('acct_1', { units: 2 });
    const bad = await log.keyCall('acct_1', {}, (written) => {
      const jws = written.jws ?? '';
      written.jws = `${jws.slice(0, -3)}${jws.endsWith('AAA') ? 'BAA' : 'AAA'}`;
      written.digest = sha256(written.jws);
    });
    const running = await service();
    const call: Service['call'] = async (path, init) => running.call(path, init);
    const list = async (query = ''): Promise<{ items: { id: string; fault: string }[]; next?: string }> =>
      (await call(`/entries${query}`)).body;
    expect(await settled(async () => (await list()).items.length, 2)).toBe(2);
    expect((await list('?fault=terms-missing')).items).toMatchObject([{ id, fault: 'terms-missing' }]);
    expect((await list('?limit=1')).items).toMatchObject([{ id }]);
    const readmit = async (entry: string, key: string = randomUUID(), token?: string): ReturnType<typeof call> =>
      call(`/entries/${entry}/readmit`, {
        body: { reason: 'The terms came late.' },
        headers: { 'idempotency-key': key },
        ...(token !== undefined && { token }),
      });
    expect(await readmit(id)).toMatchObject({ status: 409, body: { code: 'entry/conflict' } });
    expect(await readmit(bad)).toMatchObject({ status: 409, body: { code: 'entry/conflict' } });
    expect(await readmit(randomUUID())).toMatchObject({ status: 404, body: { code: 'entry/not-found' } });
    expect(await readmit('none')).toMatchObject({ status: 404 });
    expect((await readmit(id, randomUUID(), await makeOperator(world, ['read', 'write']))).status).toBe(403);
    await log.terms('acct_1');
    const terms = async (): Promise<number> => (await world.rows('select from billing.terms')).length;
    expect(await settled(terms, 1)).toBe(1);
    const key = randomUUID();
    const first = await readmit(id, key);
    expect(first).toMatchObject({ status: 200, body: { id, fault: null } });
    expect((await readmit(id, key)).text).toBe(first.text);
    expect(await readmit(id)).toMatchObject({ status: 404 });
    expect(await faults()).toEqual([null, 'receipt-invalid', null]);
    expect(await world.rows('select entry_id, units from billing.charge')).toEqual([{ entry_id: id, units: '2' }]);
    expect(await world.rows("select subject from billing.audit where action = 'entry.readmit'")).toEqual([
      { subject: id },
    ]);
  }, 60_000);

  it('who asks twice at once books it once', async () => {
    const { log } = world;
    const id = await log.keyCall('acct_1', { units: 2 });
    const reader = books();
    await reader.readAll();
    await log.terms('acct_1');
    await reader.readAll();
    const other = books();
    const why = { by: 'op', reason: 'late' };
    const done = await Promise.allSettled(
      [reader, other].map(async ({ sql, intakeJob }) => sql.transaction(async (tx) => intakeJob.readmit(tx, id, why))),
    );
    expect(done.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect((await bookContent(world))['charges']).toHaveLength(1);
    expect(await openBreaks(reader)).toEqual([]);
  }, 60_000);

  it('can change nothing of an entry without a readmission', async () => {
    const { log } = world;
    await log.keyCall('acct_1');
    await books().readAll();
    const clear = 'update billing.entry set fault = null, fault_detail = null';
    await expect(world.rows(clear)).rejects.toThrow(/append-only/);
    await expect(world.rows("update billing.entry set fault = 'receipt-missing'")).rejects.toThrow(/append-only/);
  });
});

describe('what was proven', () => {
  const why = { by: 'op', reason: 'late' };

  /** A call that was refused for want of terms, with others around it. */
  async function refusedCall(): Promise<{ reader: Books; readmit: () => Promise<unknown> }> {
    const { log } = world;
    await log.terms('acct_2', { includedUnits: '0' });
    await log.keyCall('acct_2');
    const id = await log.keyCall('acct_1', { units: 2 });
    await log.keyCall('acct_2');
    const reader = books();
    await reader.readAll();
    await log.terms('acct_1', { includedUnits: '1' });
    await reader.readAll();
    return { reader, readmit: async () => reader.sql.transaction(async (tx) => reader.intakeJob.readmit(tx, id, why)) };
  }

  async function classes(reader: Books, trigger: 'manual' | 'schedule' = 'manual'): Promise<readonly string[]> {
    await reader.reconcileJob.run(trigger);
    const rows = await world.rows<{ class: string }>(
      `select class from billing.break where present and class not in ('meter-mismatch', 'chain-stalled') order by 1`,
    );
    return rows.map(({ class: name }) => name);
  }

  async function tamper(text: string): Promise<void> {
    await world.sql.transaction(async (tx) => {
      await tx.query({ text: 'set local session_replication_role = replica' });
      await tx.query({ text });
    });
  }

  it('stays proven when an entry of it is readmitted, and what else was changed there stays a break', async () => {
    const { reader, readmit } = await refusedCall();
    expect(await classes(reader, 'schedule')).toEqual(['terms-missing']);
    expect(await classes(reader)).toEqual(['terms-missing']);
    await readmit();
    expect(await world.rows(`select check_name, count::int, sums from billing.control_total order by 1`)).toEqual([
      { check_name: 'charge', count: 3, sums: { USD: '750' } },
      { check_name: 'entry', count: 5, sums: { units: '4' } },
      { check_name: 'payment', count: 0, sums: {} },
      { check_name: 'terms', count: 2, sums: {} },
    ]);
    expect(await classes(reader)).toEqual([]);
    await tamper(`update billing.charge set sku = 'other' where place = 4`);
    expect(await classes(reader)).toContain('history-changed');
    await tamper(`update billing.charge set sku = 'forecast' where place = 4`);
    expect(await classes(reader, 'schedule')).toEqual([]);
    expect(await classes(reader, 'schedule')).toEqual([]);
  }, 60_000);

  it('that somebody else has changed is not made good by a readmission', async () => {
    const { reader, readmit } = await refusedCall();
    await classes(reader, 'schedule');
    await tamper(`update billing.charge set sku = 'other' where place = 4`);
    await readmit();
    expect(await classes(reader, 'schedule')).toContain('history-changed');
    expect(await classes(reader, 'schedule')).toContain('history-changed');
  }, 60_000);

  it('is read again, with the signatures, where an entry was readmitted', async () => {
    const { reader, readmit } = await refusedCall();
    await classes(reader, 'schedule');
    await readmit();
    // The same length: the totals do not see it.
    await tamper(`update billing.entry set jws = left(jws, -8) || case right(jws, 8) when 'AAAAAAAA' then 'BBBBBBBB'
      else 'AAAAAAAA' end where place = 3`);
    expect(await classes(reader)).toEqual(['digest-mismatch', 'receipt-invalid']);
  }, 60_000);

  it('by a run that has read it before the readmission is not stored', async () => {
    const { reader, readmit } = await refusedCall();
    let run: Promise<unknown> | undefined;
    await world.sql.transaction(async (tx) => {
      // The run has read everything, and waits to write what it found.
      await tx.query({ text: 'lock table billing.break in share mode' });
      run = classes(books(), 'schedule');
      expect(await settled(async () => (await waiting()).length, 1)).toBe(1);
      await readmit();
    });
    expect(await run).toEqual(['terms-missing']);
    expect(await world.rows('select from billing.control_total')).toEqual([]);
    expect(await classes(reader, 'schedule')).toEqual([]);
    expect(await classes(reader, 'schedule')).toEqual([]);
  }, 60_000);

  async function waiting(): Promise<readonly unknown[]> {
    return world.rows(`select from pg_locks where not granted and relation = 'billing.break'::regclass
      and database = (select oid from pg_database where datname = current_database())`);
  }
});
