import type { DocumentLine, InvoiceDocument } from '../src/document/model.js';

const line = (given: Partial<DocumentLine>): DocumentLine => ({
  description: 'Plan Pro',
  quantity: 1n,
  unitPrice: 0n,
  amountCents: 0n,
  taxCode: 'at-20',
  ...given,
});

/** An invoice with a tax of 20 %, paid in part. */
export const plain: InvoiceDocument = {
  kind: 'invoice',
  number: 'KF-2026-000042',
  credits: null,
  issuedOn: '2026-12-01',
  dueOn: '2026-12-31',
  period: { firstDay: '2026-11-01', lastDay: '2026-11-30' },
  asOf: null,
  seller: {
    legalName: 'Keyfare Österreich GmbH',
    address: 'Mariahilfer Straße 1\n1060 Wien\nAustria',
    country: 'AT',
    taxId: 'ATU12345678',
    reference: 'seller-1',
  },
  customer: {
    legalName: 'Ácme Łódź Sp. z o.o.',
    address: 'ul. Piotrkowska 100\n90-001 Łódź\nPL',
    country: 'PL',
    taxId: 'PL1234567890',
    reference: 'customer-1',
  },
  account: { id: 'acct_01JD9ZK3', name: 'Acme' },
  lines: [
    line({
      description: 'Plan Pro: 12 of 30 days, 2026-11-01 to 2026-11-12',
      unitPrice: 25_000_000n,
      amountCents: 1_000n,
    }),
    line({ description: 'Units included in the plan: weather', quantity: 100_000n }),
    line({
      description: 'Units beyond the plan: weather',
      quantity: 1_234_567n,
      unitPrice: 250n,
      amountCents: 30_864n,
    }),
    line({
      description: 'Credit for the outage of 2026-11-07',
      quantity: -1n,
      unitPrice: 1_864_000n * 5n,
      amountCents: -932n,
    }),
  ],
  taxes: [
    { code: 'at-20', basisPoints: 2_000, reverseCharge: false, baseCents: 30_932n, amountCents: 6_186n, reason: null },
  ],
  subtotalCents: 30_932n,
  totalCents: 37_118n,
  paidCents: 10_000n,
  dueCents: 27_118n,
  payTo: 'AT611904300234573201',
  notes: ['The calls of this invoice are listed in the log of receipts, from place 1,204 to place 9,331.'],
  changedAt: new Date('2026-12-01T06:00:00Z'),
};

/** A draft of a running month, of an account without a customer. */
export const running: InvoiceDocument = {
  ...plain,
  number: null,
  issuedOn: null,
  dueOn: null,
  asOf: new Date('2026-11-27T16:40:12.345Z'),
  seller: null,
  customer: null,
  taxes: [],
  totalCents: 30_932n,
  paidCents: 0n,
  dueCents: 30_932n,
  payTo: null,
  notes: [],
};

/** Of three pages, with a name that has no place to break, in four scripts, and reverse charge. */
export const long: InvoiceDocument = {
  ...plain,
  customer: {
    legalName: `Ελληνική Εταιρεία Πληροφορικής ΑΕ – Общество «Северная Звезда» – ${'Donaudampfschifffahrtsgesellschaft'.repeat(4)}`,
    address: 'Λεωφόρος Κηφισίας 1\n115 23 Αθήνα\nGreece',
    country: 'GR',
    taxId: 'EL123456789',
    reference: 'customer-2',
  },
  lines: Array.from({ length: 90 }, (_, index) =>
    line({
      description: `Units beyond the plan: product-${index + 1}${index % 9 === 0 ? ', with a description that is much longer than the column is wide, € and all' : ''}`,
      quantity: BigInt(index + 1) * 1_000n,
      unitPrice: 10_000n,
      amountCents: BigInt(index + 1) * 1_000n,
      taxCode: 'eu-rc',
    }),
  ),
  taxes: [
    {
      code: 'eu-rc',
      basisPoints: 0,
      reverseCharge: true,
      baseCents: 4_095_000n,
      amountCents: 0n,
      reason: 'Reverse charge: the customer owes the tax (Article 196 of Directive 2006/112/EC).',
    },
  ],
  subtotalCents: 4_095_000n,
  totalCents: 4_095_000n,
  paidCents: 0n,
  dueCents: 4_095_000n,
  payTo: '0x1111111111111111111111111111111111111111',
};

/** What is given back of `plain`. */
export const credit: InvoiceDocument = {
  ...plain,
  kind: 'credit-note',
  number: 'KF-2026-000043',
  credits: { number: 'KF-2026-000042', issuedOn: '2026-12-01' },
  issuedOn: '2026-12-03',
  dueOn: null,
  lines: [line({ description: 'Plan Pro, taken back', unitPrice: 10_000_000n, amountCents: 1_000n })],
  taxes: [
    { code: 'at-20', basisPoints: 2_000, reverseCharge: false, baseCents: 1_000n, amountCents: 200n, reason: null },
  ],
  subtotalCents: 1_000n,
  totalCents: 1_200n,
  paidCents: 0n,
  dueCents: 1_200n,
  notes: [],
};
