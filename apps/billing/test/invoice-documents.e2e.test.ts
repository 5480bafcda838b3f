import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { ReconcileJob } from '../src/pipeline/reconcile.job.js';
import { readPdf } from './read-pdf.js';
import { type Service, startService } from './service.js';
import { openWorld, type World } from './world.js';

let world: World;
let service: Service;
let id: string;

beforeAll(async () => {
  world = await openWorld();
  world.clock.set('2026-10-10T00:00:00Z');
  service = await startService(world);
  await world.log.terms('acct_1', { includedUnits: '0' });
  await world.log.keyCall('acct_1');
  await service.app.get(ReconcileJob).run('manual');
  const drawn = await service.call('/invoices', { body: { account: 'acct_1', month: '2026-10' } });
  id = (drawn.body as { id: string }).id;
}, 60_000);
afterAll(async () => {
  await service.close();
  await world.close();
});

async function file(path: string, headers: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(`${service.url}/invoices/${path}`, {
    headers: { authorization: `Bearer ${service.token}`, ...headers },
  });
  const { status, headers: said } = answer;
  return { status, headers: said, content: new Uint8Array(await answer.arrayBuffer()) };
}

async function make(path: string, body: object): Promise<string> {
  return ((await service.call(path, { body })).body as { id: string }).id;
}

describe('the PDF of an invoice', () => {
  it('of an account without a customer is a draft of a running month, with its amounts', async () => {
    const { status, headers, content } = await file(`${id}/pdf`);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/pdf']);
    expect(headers.get('content-disposition')).toBe(`inline; filename="invoice-draft-${id}.pdf"`);
    // The console's frame may show it, another origin's may not.
    expect(headers.get('content-security-policy')).toBe("frame-ancestors 'self'");
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('etag')).toBe(`"${createHash('sha256').update(content).digest('hex')}"`);
    const { text } = await readPdf(content);
    for (const said of ['DRAFT · MONTH RUNNING', 'acct_1', '0.00025', 'Total 7.10']) expect(text).toContain(said);
  });

  it('is not sent again to whoever has it', async () => {
    const tag = (await file(`${id}/pdf`)).headers.get('etag') ?? '';
    const again = await file(`${id}/pdf`, { 'if-none-match': `"other", W/${tag}` });
    expect([again.status, again.content.length, again.headers.get('etag')]).toEqual([304, 0, tag]);
  });

  it('names the seller and the customer of the contract that holds in the month', async () => {
    const payTo = 'DE89370400440532013000';
    const master = { legalName: 'Keyfare GmbH', address: 'Gasse 1\nWien', payTo, series: 'KF' };
    const sellerId = await make('/sellers', master);
    const customer = { address: 'Street 2', language: 'en', reportingCurrency: 'EUR', paymentDays: 30, contacts: [] };
    const customerId = await make('/customers', { ...customer, legalName: 'Ácme Łódź' });
    const contract = { sellerId, account: 'acct_1', endsAt: null };
    await make('/contracts', { ...contract, customerId, startsAt: '2026-10-05T00:00:00.000Z' });
    const { text } = await readPdf((await file(`${id}/pdf`)).content);
    for (const said of ['Keyfare GmbH', 'Ácme Łódź']) expect(text).toContain(said);
  });

  it('of an invoice that there is not, is not found', async () => {
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const path of [`${unknown}/pdf`, `${unknown}/xml`, 'x/pdf', 'x/xml']) {
      expect([path, (await file(path)).status]).toEqual([path, 404]);
    }
  });
});

describe('the electronic invoice', () => {
  it('of a draft is refused', async () => {
    const { status, content } = await file(`${id}/xml`);
    expect([status, JSON.parse(Buffer.from(content).toString()) as object]).toEqual([
      409,
      expect.objectContaining({ code: 'invoice/no-e-invoice', detail: 'It is a draft.' }),
    ]);
  });
});

describe('a final invoice', () => {
  let final: string;

  /** October is over, and its invoice goes to a customer with reverse charge. */
  async function finalize(): Promise<string> {
    const rate = {
      basisPoints: 0,
      reverseCharge: true,
      reason: 'Reverse charge.',
      validFrom: '2026-01-01T00:00:00.000Z',
    };
    await make('/tax-rates', { code: 'rc', ...rate });
    const sellers = (await service.call('/sellers')).body as { items: readonly { id: string }[] };
    const customers = (await service.call('/customers')).body as { items: readonly { id: string }[] };
    const headers = { 'if-match': '*' };
    const change = async (path: string, body: object): Promise<void> => {
      expect((await service.call(path, { method: 'PATCH', body, headers })).status).toBe(200);
    };
    await change(`/sellers/${sellers.items[0]?.id}`, { taxId: 'ATU12345678' });
    await change(`/customers/${customers.items[0]?.id}`, { country: 'PL', taxId: 'PL1234567890', taxCode: 'rc' });
    world.clock.set('2026-11-02T03:00:00Z');
    await service.app.get(ReconcileJob).run('manual');
    const answer = await service.call('/invoices/finalize', { body: { month: '2026-10', preview: false } });
    expect(answer).toMatchObject({ status: 200, body: { refused: 0, items: [{ id, number: 'KF-000001' }] } });
    return id;
  }

  /** Voids it, and makes it final again with the country of the seller. */
  async function again(): Promise<void> {
    const { items } = (await service.call('/sellers')).body as { items: readonly { id: string }[] };
    const headers = { 'if-match': '*' };
    const path = `/sellers/${items[0]?.id}`;
    expect((await service.call(path, { method: 'PATCH', body: { country: 'Austria' }, headers })).status).toBe(400);
    await service.call(path, { method: 'PATCH', body: { country: 'AT' }, headers });
    await service.call(`/invoices/${final}/void`, { body: {} });
    const made = await service.call('/invoices/finalize', { body: { month: '2026-10', preview: false } });
    [{ id: final }] = (made.body as { items: [{ id: string }] }).items;
  }

  it('has its number, its parties as they were, and its tax, in both files', async () => {
    final = await finalize();
    await world.rows(`update billing.customer set legal_name = 'Renamed'`);
    const { headers, content } = await file(`${final}/pdf`);
    expect(headers.get('content-disposition')).toBe('inline; filename="invoice-KF-000001.pdf"');
    const { text } = await readPdf(content);
    for (const said of [
      'KF-000001',
      'Ácme Łódź',
      'Issued 2026-11-02 Due 2026-12-02',
      'Tax rc, reverse charge on 7.10',
      'Poland',
      'Reverse charge.',
    ]) {
      expect(text).toContain(said);
    }
    // The seller had no country when it was frozen.
    const early = await file(`${final}/xml`);
    expect(JSON.parse(Buffer.from(early.content).toString())).toMatchObject({
      code: 'invoice/no-e-invoice',
      detail: 'The seller has no country.',
    });
    await again();
    const xml = await file(`${final}/xml`);
    expect([xml.status, xml.headers.get('content-type')]).toEqual([200, 'application/xml; charset=utf-8']);
    const said = Buffer.from(xml.content).toString();
    expect(said).toContain('<cbc:TaxExemptionReason>Reverse charge.</cbc:TaxExemptionReason>');
    expect(said).toMatch(/<cac:TaxCategory>\s*<cbc:ID>AE</u);
    expect(said).toContain('<cbc:TaxAmount currencyID="USD">0.00</cbc:TaxAmount>');
    expect((await service.call(`/invoices/${final}`)).body).toMatchObject({
      tax: '0.00',
      taxCode: 'rc',
      taxReason: 'Reverse charge.',
      payable: '7.10',
    });
    expect(said).toContain('<cbc:PayableAmount currencyID="USD">7.10</cbc:PayableAmount>');
  });

  it('and its credit notes stay the same bytes when more is taken back', async () => {
    const before = (await file(`${final}/pdf`)).headers.get('etag');
    const credit = { reason: 'Outage', lines: [{ line: 2, amount: '2' }] };
    const note = await make(`/invoices/${final}/credit-notes`, credit);
    const pdf = await file(`${final}/credit-notes/${note}/pdf`);
    const { text } = await readPdf(pdf.content);
    for (const said of ['Credit note KF/C-000001', 'Credits invoice KF-000002 of 2026-11-02', 'Total 2.00', 'Outage']) {
      expect(text).toContain(said);
    }
    const xml = Buffer.from((await file(`${final}/credit-notes/${note}/xml`)).content).toString();
    expect(xml).toMatch(/<cac:InvoiceDocumentReference>\s*<cbc:ID>KF-000002</u);
    world.clock.set('2026-11-03T03:00:00Z');
    const rest = await make(`/invoices/${final}/credit-notes`, { reason: 'All' });
    expect(Buffer.from((await file(`${final}/credit-notes/${rest}/xml`)).content).toString()).toContain('>5.10<');
    expect((await file(`${final}/pdf`)).headers.get('etag')).toBe(before);
    expect((await file(`${final}/credit-notes/${note}/pdf`)).headers.get('etag')).toBe(pdf.headers.get('etag'));
    expect((await file(`${final}/credit-notes/${final}/pdf`)).status).toBe(404);
  });
});
