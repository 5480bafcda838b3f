import { identifierText, nameText, noteText } from '@keyfare/core/text';
import { isTimeZone } from '@keyfare/core/time';
import { z } from 'zod';
import { isCountry } from '../country.js';
import { periodAnchors } from './billing-cycle.entity.js';
import type { MasterRow } from './master-data.js';

const id = { id: z.string() };
const made = { createdAt: z.iso.datetime() };
// PostgreSQL has no year 0.
const time = z.iso.datetime({ precision: 3 }).regex(/^(?!0000)/);

/** ISO 3166-1 alpha-2. Without it there is no e-invoice. */
const country = z.string().max(2).refine(isCountry, { error: 'must be a country of ISO 3166-1, such as AT' });
const taxCode = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/, 'must be 1 to 32 letters, digits and -');

const seller = {
  legalName: nameText,
  address: noteText,
  country: country.nullable(),
  taxId: nameText.nullable(),
  /** An IBAN, or a wallet. */
  payTo: z.string().regex(/^(?:[A-Z]{2}\d{2}[A-Z0-9]{11,30}|0x[0-9a-fA-F]{40})$/, 'must be an IBAN or a wallet'),
  /** What the numbers of its invoices begin with. */
  series: z.string().regex(/^[A-Z0-9][A-Z0-9-]{0,15}$/, 'must be 1 to 16 of A-Z, 0-9 and -'),
};
const customer = {
  legalName: nameText,
  address: noteText,
  country: country.nullable(),
  taxId: nameText.nullable(),
  contacts: z.array(z.strictObject({ name: nameText, email: z.email().max(254) })).max(20),
  /** BCP 47, language and region: `en`, `de-AT`. */
  language: z.string().regex(/^[a-z]{2}(?:-[A-Z]{2})?$/, 'must be such as en or de-AT'),
  /** ISO 4217. */
  reportingCurrency: z.string().regex(/^[A-Z]{3}$/, 'must be three letters'),
  /** How long after the invoice it is to be paid. */
  paymentDays: z.int().min(0).max(365),
  /** Of the rates of tax; null for invoices without tax. */
  taxCode: taxCode.nullable(),
};
const contract = {
  customerId: z.uuid(),
  sellerId: z.uuid(),
  account: identifierText,
  startsAt: time,
  endsAt: time.nullable(),
  /**
   * `calendar`: each period of its invoices begins on the first of a month. `anniversary`: on the day of the month on
   * which the contract starts, or on the last of a month without it. Fixed when the contract starts.
   */
  periodAnchor: z.enum(periodAnchors),
  /** Whose midnight a period begins at: a name of the time zone database. Fixed when the contract starts. */
  timeZone: z.string().max(64).refine(isTimeZone, { error: 'must be a time zone, such as Europe/Berlin' }),
};
const taxRate = {
  code: taxCode,
  validFrom: time,
  /** 1,900 is 19 %. */
  basisPoints: z.int().min(0).max(10_000),
  reverseCharge: z.boolean(),
  reason: noteText.nullable(),
};

const some = (change: object): boolean => Object.keys(change).length > 0;
const nothing = { error: 'must change something' };

export const views = {
  seller: z.object({ ...id, ...seller, ...made }).meta({ id: 'Seller' }),
  customer: z.object({ ...id, ...customer, ...made }).meta({ id: 'Customer' }),
  contract: z.object({ ...id, ...contract, ...made }).meta({ id: 'Contract' }),
  taxRate: z.object({ ...id, ...taxRate, ...made }).meta({ id: 'TaxRate' }),
} as const;

export const requests = {
  seller: z
    .strictObject({ ...seller, country: seller.country.default(null), taxId: seller.taxId.default(null) })
    .meta({ id: 'SellerRequest' }),
  customer: z
    .strictObject({
      ...customer,
      country: customer.country.default(null),
      taxId: customer.taxId.default(null),
      contacts: customer.contacts.default([]),
      taxCode: customer.taxCode.default(null),
    })
    .meta({ id: 'CustomerRequest' }),
  contract: z
    .strictObject({
      ...contract,
      endsAt: contract.endsAt.default(null),
      periodAnchor: contract.periodAnchor.default('calendar'),
      timeZone: contract.timeZone.default('UTC'),
    })
    .refine(({ startsAt, endsAt }) => endsAt === null || startsAt < endsAt, { error: 'must end after it starts' })
    .meta({ id: 'ContractRequest' }),
  taxRate: z
    .strictObject({ ...taxRate, reason: taxRate.reason.default(null) })
    .refine(({ reverseCharge, basisPoints, reason }) => !reverseCharge || (basisPoints === 0 && reason !== null), {
      error: 'with reverse charge is 0 and has its reason',
    })
    .meta({ id: 'TaxRateRequest' }),
} as const;

export const changes = {
  seller: z.strictObject(seller).partial().refine(some, nothing).meta({ id: 'SellerChange' }),
  customer: z.strictObject(customer).partial().refine(some, nothing).meta({ id: 'CustomerChange' }),
  /** When it ends, and its periods until it starts; all else was agreed when it started. */
  contract: z
    .strictObject({ endsAt: contract.endsAt, periodAnchor: contract.periodAnchor, timeZone: contract.timeZone })
    .partial()
    .refine(some, nothing)
    .meta({ id: 'ContractChange' }),
} as const;

/** The row as it is answered: times as text. */
export function viewOf<T extends z.ZodType>(_view: T, row: MasterRow): z.infer<T> {
  const said = Object.entries(row).map(([name, value]) => [name, value instanceof Date ? value.toISOString() : value]);
  return Object.fromEntries(said) as z.infer<T>;
}
