import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { likenessOfNames, type ProposedInvoice, proposeInvoices } from './propose.js';

const dollar = 1_000_000n;
const invoice = (number: string, customerId: string, dollars: bigint, customerName = customerId): ProposedInvoice => ({
  id: number,
  number,
  customerId,
  customerName,
  outstanding: dollars * dollar,
});
const payment = { payer: '', reference: '', amount: 10n * dollar, knownCustomers: new Set<string>() };

describe('the likeness of two names', () => {
  it.each([
    ['ACME GMBH', 'Acme G.m.b.H.', 1],
    ['MUELLER UND SOEHNE KG', 'Müller und Söhne', 1],
    ['Łódź Handel S.A.', 'LODZ HANDEL', 1],
    ['Acme Wien', 'Acme Inc.', 2 / 3],
    ['Beta Ltd', 'Gamma Ltd', 0],
    ['GmbH', 'GmbH', 0],
  ])('%s is %s by %d', (one, other, expected) => {
    expect(likenessOfNames(one, other)).toBeCloseTo(expected);
    expect(likenessOfNames(other, one)).toBeCloseTo(expected);
  });
});

describe('the proposals for a payment', () => {
  it('are the likeliest first: amount and name before the amount, and the name alone is a part payment', () => {
    const open = [invoice('KF-1', 'Beta', 10n), invoice('KF-2', 'Acme', 10n), invoice('KF-3', 'Acme', 25n)];
    expect(proposeInvoices({ ...payment, payer: 'ACME INC' }, open, new Set())).toEqual([
      {
        customerId: 'Acme',
        customerName: 'Acme',
        invoices: [{ id: 'KF-2', number: 'KF-2', amount: 10n * dollar }],
        confidence: 60,
        reasons: ['amount', 'name'],
      },
      expect.objectContaining({
        invoices: [{ id: 'KF-3', number: 'KF-3', amount: 10n * dollar }],
        confidence: 35,
        reasons: ['name'],
      }),
      expect.objectContaining({ confidence: 25, reasons: ['amount'] }),
    ]);
  });

  it('take an amount that one invoice has for more than one that several have', () => {
    const confidence = (...open: readonly ProposedInvoice[]) =>
      proposeInvoices(payment, open, new Set()).map((proposal) => proposal.confidence);
    expect(confidence(invoice('KF-1', 'Beta', 10n))).toEqual([40]);
    expect(confidence(invoice('KF-1', 'Beta', 10n), invoice('KF-2', 'Acme', 10n))).toEqual([25, 25]);
  });

  it('have all open invoices of a customer where they come to the amount, and those that the reference names', () => {
    const open = [invoice('KF-1', 'Acme', 4n), invoice('KF-2', 'Acme', 6n), invoice('KF-3', 'Beta', 3n)];
    const [both, ...others] = proposeInvoices(payment, open, new Set(['KF-1', 'KF-2']));
    expect(both).toMatchObject({
      invoices: [
        { number: 'KF-1', amount: 4n * dollar },
        { number: 'KF-2', amount: 6n * dollar },
      ],
      reasons: ['number', 'sum'],
    });
    expect(others.map(({ reasons }) => reasons)).toEqual([['number'], ['number']]);
  });

  it('know a payer that paid for the customer before, and are never sure', () => {
    const known = { ...payment, payer: 'Acme', knownCustomers: new Set(['Acme']) };
    const [first] = proposeInvoices(known, [invoice('KF-1', 'Acme', 10n)], new Set(['KF-1']));
    expect(first).toMatchObject({ confidence: 99, reasons: ['number', 'amount', 'name', 'known-payer'] });
  });

  it('are none where nothing speaks for any, or nothing is open', () => {
    expect(proposeInvoices(payment, [invoice('KF-1', 'Beta', 11n)], new Set())).toEqual([]);
    expect(proposeInvoices({ ...payment, amount: 0n }, [invoice('KF-1', 'Beta', 0n)], new Set())).toEqual([]);
  });
});
