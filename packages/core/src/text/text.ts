import { z } from 'zod';

/**
 * The texts that people and programs give us, one schema for each kind: what the edge takes, the log, the database and
 * the documents behind it take, because they ask the same object. None may hold NUL (PostgreSQL refuses it), a control
 * character (it breaks the line that it stands in) or a lone surrogate (it has no UTF-8, RFC 3629 §3).
 */
const line = /^[^\p{Cc}\p{Surrogate}\u2028\u2029]*$/u;
const lines = /^(?:[^\p{Cc}\p{Surrogate}]|\n|\t)*$/u;

/**
 * A name that people read on lists and invoices: one line of 1 to 200 characters, in any script, without outer blanks.
 */
export const nameText = z
  .string()
  .max(200)
  .regex(line, 'must be one line without control characters')
  .regex(/^\S(?:.*\S)?$/su, 'must be text that neither begins nor ends with a blank');

/** What people write down: 1 to 2,000 characters; lines and tabs are allowed, other control characters are not. */
export const noteText = z
  .string()
  .max(2_000)
  .regex(lines, 'must be text without control characters')
  .regex(/\S/u, 'must not be empty');

/** An id, as a caller names what exists or not: 1 to 128 printable characters of ASCII. */
export const identifierText = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters');

/** What a key may buy, as a tariff names it: compared letter by letter, never as a pattern. */
export const scopeText = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/,
    'must be 1 to 64 letters, digits, or . _ : / -, letters or digits first',
  );
