import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { renderEInvoice } from '../src/document/e-invoice.js';
import type { DocumentTax, InvoiceDocument } from '../src/document/model.js';
import { credit, long, plain, running } from './invoice-documents.js';

/** The texts of all elements of a name, in order. */
function all(xml: string, name: string): readonly string[] {
  return [...xml.matchAll(new RegExp(`<cbc:${name}(?: [^>]*)?>([^<]*)</cbc:${name}>`, 'gu'))].map(
    ([, text]) => text ?? '',
  );
}

const cents = (text: string | undefined): number => Math.round(Number(text) * 100);

async function refusal(document: InvoiceDocument): Promise<unknown> {
  return renderEInvoice(document).catch((error: unknown) => error);
}

const party = plain.customer as NonNullable<InvoiceDocument['customer']>;
const tax = plain.taxes[0] as DocumentTax;

describe('an electronic invoice', () => {
  it.each([
    ['an invoice with tax', plain],
    ['one with reverse charge', long],
    ['a credit note', credit],
  ])('of %s has sums that agree to the cent (BR-CO-10, 13, 15, 16)', async (_, document) => {
    const xml = await renderEInvoice(document);
    const [totals = '', lines = ''] =
      xml.split('<cac:LegalMonetaryTotal>')[1]?.split('</cac:LegalMonetaryTotal>') ?? [];
    const sum = all(lines, 'LineExtensionAmount').reduce((total, text) => total + cents(text), 0);
    const [net, untaxed, gross, paid = '0', due] = [
      'LineExtensionAmount',
      'TaxExclusiveAmount',
      'TaxInclusiveAmount',
      'PrepaidAmount',
      'PayableAmount',
    ].map((name) => all(totals, name)[0]);
    const taxed = all(xml, 'TaxAmount')[0];
    expect(all(lines, 'LineExtensionAmount')).toHaveLength(document.lines.length);
    expect(net).toBe(untaxed);
    expect(sum).toBe(cents(net));
    expect(cents(net) + cents(taxed)).toBe(cents(gross));
    expect(cents(gross) - cents(paid)).toBe(cents(due));
    expect(BigInt(cents(due))).toBe(document.dueCents);
  });

  it('tells a price of parts of a cent for so many units, and a part of a month as one', async () => {
    const xml = await renderEInvoice(plain);
    expect(xml).toMatch(
      /<cbc:PriceAmount currencyID="USD">0.25<\/cbc:PriceAmount>\s*<cbc:BaseQuantity unitCode="C62">1000</u,
    );
    expect(all(xml, 'Note')).toContain('Part of 1 at 25.00 USD');
    expect(all(xml, 'PriceAmount').every((price) => !price.startsWith('-'))).toBe(true);
  });

  it('of a credit note names its invoice and its kind', async () => {
    const xml = await renderEInvoice(credit);
    expect(all(xml, 'CreditNoteTypeCode')).toEqual(['381']);
    expect(xml).toMatch(/<cac:InvoiceDocumentReference>\s*<cbc:ID>KF-2026-000042</u);
  });

  it('has the countries that were entered, whatever address and tax id say, and tells none twice', async () => {
    const xml = await renderEInvoice(plain);
    expect(all(xml, 'IdentificationCode')).toEqual(['AT', 'PL']);
    expect(xml).not.toContain('Austria');
    const moved = { ...plain, customer: { ...party, country: 'DE' } };
    expect(all(await renderEInvoice(moved), 'IdentificationCode')).toEqual(['AT', 'DE']);
    expect(all(await renderEInvoice(moved), 'Line')).toEqual(['PL']);
  });

  it('with reverse charge is of the category AE, with its reason, no tax and the ids of both', async () => {
    const xml = await renderEInvoice(long);
    const [category = ''] = /<cac:TaxSubtotal>.*?<\/cac:TaxSubtotal>/su.exec(xml) ?? [];
    expect([all(category, 'ID'), all(category, 'Percent'), all(category, 'TaxAmount')]).toEqual([
      ['AE', 'VAT'],
      ['0'],
      ['0.00'],
    ]);
    expect(all(category, 'TaxExemptionReason')).toEqual([long.taxes[0]?.reason]);
    expect(all(xml, 'CompanyID')).toEqual(['ATU12345678', 'EL123456789']);
  });

  it('without taxes is outside of the tax, and then has no VAT ids', async () => {
    const { subtotalCents } = plain;
    const xml = await renderEInvoice({
      ...plain,
      taxes: [],
      totalCents: subtotalCents,
      paidCents: 0n,
      dueCents: subtotalCents,
    });
    expect(all(xml, 'TaxExemptionReason')).toEqual(['Not subject to VAT']);
    expect(xml).not.toContain('<cac:PartyTaxScheme>');
  });

  it.each([
    ['a draft', running],
    ['one without a customer', { ...plain, customer: null }],
    ['one whose customer has no country', { ...plain, customer: { ...party, country: null } }],
    ['one whose seller has no tax id', { ...plain, seller: { ...party, taxId: null } }],
    [
      'one whose customer owes the tax and has no tax id',
      { ...plain, customer: { ...party, taxId: null }, taxes: [{ ...tax, reverseCharge: true }] },
    ],
    ['one with a line of no tax', { ...plain, taxes: [{ ...tax, code: 'other' }] }],
    ['one that breaks the schema', { ...plain, issuedOn: 'yesterday' }],
  ] as const)('is refused for %s', async (_, document) => {
    expect(await refusal(document)).toMatchObject({ code: 'invoice/no-e-invoice', status: 409 });
  });

  it('is the same text each time', async () => {
    expect(await renderEInvoice(plain)).toBe(await renderEInvoice(structuredClone(plain)));
  });
});
