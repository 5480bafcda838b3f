import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { NameCountries1799000000963 } from '../src/customer/country.migration.js';
import { ownerDataSource } from '../src/database.js';
import { makeOperator, type Service, startService } from './service.js';
import { openWorld, type World } from './world.js';

let world: World;
let service: Service;

beforeAll(async () => {
  world = await openWorld();
  world.clock.set('2026-11-10T00:00:00Z');
  service = await startService(world);
}, 60_000);
afterAll(async () => {
  await service.close();
  await world.close();
});

const payTo = 'DE89370400440532013000';
const seller = { legalName: 'Keyfare GmbH', address: 'Gasse 1\nWien', payTo, series: 'KF' };
const customer = {
  legalName: 'Ácme Łódź',
  address: 'Street 2',
  language: 'en',
  reportingCurrency: 'EUR',
  paymentDays: 30,
  contacts: [{ name: 'Ann', email: 'ann@example.com' }],
};

interface Made {
  readonly id: string;
  readonly endsAt: string | null;
}

async function make(path: string, body: object): Promise<Made> {
  const answer = await service.call(path, { body });
  expect([path, answer.status]).toEqual([path, 201]);
  return answer.body;
}

async function code(path: string, init: Parameters<Service['call']>[1]): Promise<readonly [number, string]> {
  const { status, body } = await service.call(path, init);
  return [status, (body as { code: string }).code];
}

describe('a customer', () => {
  it('is made, read, and changed by the version that was read alone; both are in the audit log', async () => {
    const { id } = await make('/customers', customer);
    const read = await service.call(`/customers/${id}`);
    expect(read).toMatchObject({ status: 200, body: { ...customer, id, taxId: null } });
    const tag = read.headers.get('etag') ?? '';
    const patch = (headers: Record<string, string>) => ({ method: 'PATCH', body: { paymentDays: 14 }, headers });
    expect(await code(`/customers/${id}`, patch({}))).toEqual([428, 'request/precondition-required']);
    const changed = await service.call(`/customers/${id}`, patch({ 'if-match': tag }));
    expect(changed).toMatchObject({ status: 200, body: { ...customer, paymentDays: 14 } });
    expect(await code(`/customers/${id}`, patch({ 'if-match': tag }))).toEqual([412, 'request/precondition-failed']);
    expect((await service.call(`/audit?subject=${id}`)).body).toMatchObject({
      items: [
        { action: 'customer.change', before: { paymentDays: 30 }, after: { paymentDays: 14 } },
        { action: 'customer.create', before: null },
      ],
    });
  });

  it('is made once for an Idempotency-Key, and only by whom money is trusted to', async () => {
    const headers = { 'idempotency-key': 'customer-once' };
    const body = { ...customer, legalName: 'Once Ltd' };
    const first = await service.call('/customers', { body, headers });
    expect((await service.call('/customers', { body, headers })).body).toEqual(first.body);
    expect(await world.rows(`select 1 from billing.customer where legal_name = 'Once Ltd'`)).toHaveLength(1);
    const token = await makeOperator(world, ['read', 'write']);
    expect(await code('/customers', { body, token })).toEqual([403, 'operator/forbidden']);
  });

  it('is listed page by page, each once', async () => {
    for (const legalName of ['A', 'B', 'C']) await make('/customers', { ...customer, legalName });
    const seen: string[] = [];
    let cursor = '';
    for (;;) {
      const { body } = await service.call(`/customers?limit=2${cursor}`);
      const { items, next } = body as { items: readonly { id: string }[]; next: string | null };
      seen.push(...items.map(({ id }) => id));
      if (next === null) break;
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
    const rows = await world.rows<{ id: string }>('select id from billing.customer order by created_at, id');
    expect(seen).toEqual(rows.map(({ id }) => id));
    const stray = Buffer.from(JSON.stringify(['customers', 'x'])).toString('base64url');
    expect(await code(`/customers?cursor=${stray}`, {})).toEqual([400, 'request/invalid']);
  });
});

describe('a seller', () => {
  it('has a number series that no other has', async () => {
    const { id } = await make('/sellers', { ...seller, series: 'ONE' });
    const other = await make('/sellers', { ...seller, series: 'TWO' });
    expect(await code('/sellers', { body: { ...seller, series: 'ONE' } })).toEqual([409, 'seller/conflict']);
    const headers = { 'if-match': '*' };
    const change = { method: 'PATCH', body: { series: 'ONE' }, headers };
    expect(await code(`/sellers/${other.id}`, change)).toEqual([409, 'seller/conflict']);
    expect((await service.call(`/sellers/${id}`, { ...change, body: { payTo: `0x${'a'.repeat(40)}` } })).status).toBe(
      200,
    );
    expect(await code(`/sellers/${id}`, { ...change, body: { payTo: 'cash' } })).toEqual([400, 'request/invalid']);
  });
});

describe('the country of a party', () => {
  it('is one that there is, and of those from before it is that of their address or tax id, or none', async () => {
    const body = { ...customer, country: 'XX' };
    expect(await code('/customers', { body })).toEqual([400, 'request/invalid']);
    const { id } = await make('/customers', { ...body, country: 'PL' });
    expect((await service.call(`/customers/${id}`)).body).toMatchObject({ country: 'PL' });
    const old = await openWorld();
    const owner = await ownerDataSource(old.database.url).initialize();
    try {
      await old.rows('alter table billing.seller drop column country');
      await old.rows('alter table billing.customer drop column country');
      const rows = [
        ['Gasse 1\nWien\nAustria', null],
        ['Street 2\nPL\n', 'ATU12345678'],
        ['Street 3', 'EL123456789'],
        ['Somewhere', '12345'],
      ];
      for (const [index, [address, taxId]] of rows.entries()) {
        await old.rows(
          `insert into billing.customer (id, legal_name, address, tax_id, contacts, language, reporting_currency,
            payment_days, created_at)
          values (gen_random_uuid(), $1, $2, $3, '[]', 'en', 'EUR', 0, now())`,
          [String(index), address, taxId],
        );
      }
      await new NameCountries1799000000963().up(owner.createQueryRunner());
      const found = await old.rows('select country from billing.customer order by legal_name');
      expect(found).toEqual(['AT', 'PL', 'GR', null].map((country) => ({ country })));
    } finally {
      await owner.destroy();
      await old.close();
    }
  }, 60_000);
});

describe('a contract', () => {
  it('gives an account to one customer at a time, also when two are made at once', async () => {
    const sellerId = (await make('/sellers', { ...seller, series: 'CON' })).id;
    const customerId = (await make('/customers', customer)).id;
    const body = { sellerId, customerId, account: 'acct_1', startsAt: '2026-11-01T00:00:00.000Z' };
    const both = await Promise.all([1, 2].map(async () => await service.call('/contracts', { body })));
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
    const [first] = await world.rows<{ id: string }>('select id from billing.contract');
    const path = `/contracts/${first?.id}`;
    const later = { ...body, startsAt: '2026-12-01T00:00:00.000Z' };
    expect(await code('/contracts', { body: later })).toEqual([409, 'contract/conflict']);
    const end = (endsAt: string | null) => ({ method: 'PATCH', body: { endsAt }, headers: { 'if-match': '*' } });
    expect(await code(path, end('2026-10-01T00:00:00.000Z'))).toEqual([409, 'contract/conflict']);
    expect((await service.call(path, end('2026-12-01T00:00:00.000Z'))).status).toBe(200);
    await make('/contracts', later);
    // Without its end it would hold beside the next one.
    expect(await code(path, end(null))).toEqual([409, 'contract/conflict']);
  });

  it('is of a customer and a seller that there are', async () => {
    const nobody = '00000000-0000-4000-8000-000000000000';
    const customerId = (await make('/customers', customer)).id;
    const body = { sellerId: nobody, customerId, account: 'acct_9', startsAt: '2026-11-01T00:00:00.000Z' };
    expect(await code('/contracts', { body })).toEqual([404, 'seller/not-found']);
    expect(await code('/contracts', { body: { ...body, customerId: nobody } })).toEqual([404, 'customer/not-found']);
    expect(await code('/contracts/x', {})).toEqual([404, 'contract/not-found']);
  });
});

describe('a rate of tax', () => {
  it('is never changed, and the next one of its code has a time of its own', async () => {
    const rate = { code: 'AT', validFrom: '2026-01-01T00:00:00.000Z', basisPoints: 2_000, reverseCharge: false };
    const { id } = await make('/tax-rates', rate);
    expect(await code('/tax-rates', { body: { ...rate, basisPoints: 1_900 } })).toEqual([409, 'tax-rate/conflict']);
    await make('/tax-rates', { ...rate, validFrom: '2027-01-01T00:00:00.000Z', basisPoints: 1_900 });
    expect((await service.call(`/tax-rates/${id}`, { method: 'PATCH', body: {} })).status).toBe(405);
  });

  it('with reverse charge is nothing, and says why', async () => {
    const rate = { code: 'RC', validFrom: '2026-01-01T00:00:00.000Z', basisPoints: 0, reverseCharge: true };
    expect(await code('/tax-rates', { body: rate })).toEqual([400, 'request/invalid']);
    await make('/tax-rates', { ...rate, reason: 'Reverse charge: Art. 196 of Directive 2006/112/EC' });
  });
});
