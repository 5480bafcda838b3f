import { nameText } from '@keyfare/core/text';
import { z } from 'zod';
import { dateFormats } from './cells.js';

const column = nameText;

/** How the statements of a bank account are read: which column says what, by the names in the header. */
export const mapping = z
  .strictObject({
    /** Null: whichever of the three gives every column that is named here. */
    separator: z.enum(['comma', 'semicolon', 'tab']).nullable().default(null),
    decimal: z.enum(['point', 'comma']),
    dateFormat: z.enum(dateFormats),
    /** Lines of the bank before the header. */
    skipLines: z.int().min(0).max(50).default(0),
    bookedOn: column,
    /** Signed: what came in is positive. Null where a bank has two columns. */
    amount: column.nullable().default(null),
    /** What came in and what went out, in two columns. */
    credit: column.nullable().default(null),
    debit: column.nullable().default(null),
    currency: column.nullable().default(null),
    payer: column.nullable().default(null),
    /** Joined by a blank. */
    reference: z.array(column).min(1).max(5),
    /** The bank's own id of a payment, where it gives one: it tells two equal payments apart in any files. */
    bankReference: column.nullable().default(null),
  })
  .refine(
    ({ amount, credit, debit }) =>
      amount !== null ? credit === null && debit === null : credit !== null && debit !== null,
    { error: 'must name amount, or credit and debit' },
  );
export type Mapping = z.infer<typeof mapping>;

/** Every column that a mapping names. */
export function columnsOf({
  bookedOn,
  amount,
  credit,
  debit,
  currency,
  payer,
  reference,
  bankReference,
}: Mapping): string[] {
  const names = [bookedOn, amount, credit, debit, currency, payer, ...reference, bankReference];
  return names.filter((name) => name !== null);
}
