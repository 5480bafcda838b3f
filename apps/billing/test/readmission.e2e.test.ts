import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
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
      written.jws = `${jws.slice(0, -3)}${jws.endsWith('AAA') ? 'BBB' : 'AAA'}`;
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
