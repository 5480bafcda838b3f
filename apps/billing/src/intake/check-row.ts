import { hash } from 'node:crypto';
import {
  type EntryKind,
  type EntryPayloads,
  type FeedEntry,
  type FeedUsage,
  parseFeedEntry,
  verifyEntry,
} from '@keyfare/core/log';
import { decimalsOf } from '@keyfare/core/money';
import { isProblem } from '@keyfare/core/problem';
import type { Jwks, ReceiptPayload, VerifyEd25519 } from '@keyfare/core/receipt';
import { monthOf } from '@keyfare/core/time';
import type { EntryFault, GoodEntry } from '../entry.js';
import { findCode } from '../token.js';
import type { FeedRow } from './feed.js';

/** Whether an entry may go into the books. With an unknown key that cannot be said yet. */
export type Verdict =
  | { readonly outcome: 'good'; readonly entry: GoodEntry }
  | { readonly outcome: 'bad'; readonly fault: EntryFault; readonly detail: string }
  | { readonly outcome: 'unknown-key'; readonly detail: string };

/** What rows are checked with. */
export interface Checker {
  readonly keys: Jwks;
  readonly verifyEd25519: VerifyEd25519;
}

// The usage of a call is dated when its exchange opened, its receipt when it was signed. Between the two lies the call,
// and on the x402 rail a settlement that may be found only after an outage; a payment lives for a day at most.
const longestCallMs = { key: 3_600_000, x402: 25 * 3_600_000, free: 3_600_000 } as const;
// A receipt has whole seconds, and the two times may come from two processes.
const clockSkewMs = 300_000;
// No token has so many units; the sum of more such payments than there will ever be fits a column numeric(78,0).
const largestPayment = 10n ** 60n;
// The last second of the year 9999: later ones have no common spelling, and no business in a receipt.
const lastSecond = 253_402_300_799;

/**
 * Checks one row of the feed: its digest, its signature, and whether the receipt, the entry and the usage tell one
 * story. Total: whatever the row holds, it answers.
 */
export function checkRow(row: FeedRow, checker: Checker): Verdict {
  let entry: FeedEntry;
  try {
    entry = parseFeedEntry(row);
  } catch (error) {
    if (!isProblem(error)) throw error;
    return bad(hasWrongUsage(row) ? 'usage-mismatch' : 'receipt-invalid', error.detail);
  }
  const { jws } = entry;
  if (jws === null) return bad('receipt-missing', 'The entry has no document.');
  if (!hash('sha256', jws, 'buffer').equals(entry.digest)) {
    return bad('digest-mismatch', 'The document is not the one whose digest the log holds.');
  }
  return checkDocument({ ...entry, jws }, checker);
}

type Signed = FeedEntry & { readonly jws: string };

function checkDocument(entry: Signed, checker: Checker): Verdict {
  switch (entry.kind) {
    case 'call':
      return checkCall(entry, checker);
    case 'terms':
      return checkTerms(entry, checker);
    case 'unpaid':
      return checkMoney(entry, { kind: 'unpaid', ...checker }, ({ id, place }, unpaid) => {
        return { kind: 'unpaid', place, id, unpaid };
      });
    case 'settlement':
      return checkMoney(entry, { kind: 'settlement', ...checker }, ({ id, place }, settlement) => {
        return { kind: 'settlement', place, id, settlement };
      });
    case 'refund-due':
      return checkMoney(entry, { kind: 'refund-due', ...checker }, ({ id, place }, refund) => {
        return { kind: 'refund-due', place, id, refund };
      });
    case 'reversed':
      return checkMoney(entry, { kind: 'reversed', ...checker }, ({ id, place }, reversed) => {
        return { kind: 'reversed', place, id, reversed };
      });
    default:
      return bad('receipt-invalid', `An entry of kind ${String(entry.kind)} is not known.`);
  }
}

function checkCall(entry: Signed, checker: Checker): Verdict {
  const verdict = verifyEntry(entry.jws, { kind: 'call', ...checker });
  if (!verdict.ok) return unverified(verdict);
  const { payload: receipt } = verdict;
  const { place, id, usage } = entry;
  const wrong = wrongName(entry, receipt, receipt.principal) ?? (receipt.rail === 'x402' ? wrongMoney(receipt) : null);
  if (wrong !== null) return bad('receipt-invalid', wrong);
  const difference = usage === null ? 'a call without usage' : compareUsage(usage, receipt);
  if (usage === null || difference !== null) {
    return bad('usage-mismatch', `The usage and the receipt differ: ${difference ?? ''}.`);
  }
  return { outcome: 'good', entry: { kind: 'call', place, id, usage, receipt } };
}

function checkTerms(entry: Signed, checker: Checker): Verdict {
  const verdict = verifyEntry(entry.jws, { kind: 'terms', ...checker });
  if (!verdict.ok) return unverified(verdict);
  const { payload: terms } = verdict;
  const { place, id } = entry;
  const wrong = wrongName(entry, terms, terms.account);
  if (wrong !== null) return bad('receipt-invalid', wrong);
  if (Math.max(terms.effectiveAt, terms.endsAt ?? 0) > lastSecond) {
    return bad('receipt-invalid', 'The terms begin or end at no time that can be told.');
  }
  return { outcome: 'good', entry: { kind: 'terms', place, id, terms } };
}

type MoneyKind = Exclude<EntryKind, 'call' | 'terms'>;

/** Checks an entry that tells of a payment and of no usage. */
function checkMoney<Kind extends MoneyKind>(
  entry: Signed,
  question: Checker & { readonly kind: Kind },
  good: (entry: FeedEntry, payload: EntryPayloads[Kind]) => GoodEntry,
): Verdict {
  const verdict = verifyEntry(entry.jws, question);
  if (!verdict.ok) return unverified(verdict);
  const payload: EntryPayloads[MoneyKind] = verdict.payload;
  const wrong = wrongName(entry, payload, payload.payer) ?? wrongMoney(payload);
  return wrong === null ? { outcome: 'good', entry: good(entry, verdict.payload) } : bad('receipt-invalid', wrong);
}

function unverified({ reason, detail }: { reason: string; detail: string }): Verdict {
  return reason === 'unknown-key' ? { outcome: 'unknown-key', detail } : bad('receipt-invalid', detail);
}

/** A genuine document under another entry's id, or of another principal, would be counted for the wrong call. */
function wrongName(
  entry: FeedEntry,
  document: { readonly id: string; readonly issuedAt: number },
  principal: string,
): string | null {
  if (document.id !== entry.id) return `The document is that of ${document.id}.`;
  if (principal !== entry.principal) return 'The document and the entry name different principals.';
  return document.issuedAt > lastSecond ? 'The document was issued at no time that can be told.' : null;
}

/** Only a token that we know, on its own network, is counted. */
function wrongMoney(payment: {
  readonly network: string;
  readonly asset: string;
  readonly decimals?: number;
  readonly amount: string;
}): string | null {
  if (BigInt(payment.amount) > largestPayment) return 'The payment is beyond any sum of money.';
  const code = findCode(payment);
  if (code === null) return `The asset ${payment.asset} of ${payment.network} is not one that is counted.`;
  return payment.decimals === undefined || payment.decimals === decimalsOf[code]
    ? null
    : 'The receipt counts the asset in other units than the asset has.';
}

/** The first difference between what was metered and what was signed; null when they agree. */
function compareUsage(usage: FeedUsage, receipt: ReceiptPayload): string | null {
  if (usage.rail !== receipt.rail) return `rail ${usage.rail} and ${receipt.rail}`;
  const account = accountOf(receipt);
  if (usage.account !== account) return `account ${usage.account ?? 'none'} and ${account ?? 'none'}`;
  const payer = receipt.rail === 'key' ? null : receipt.principal;
  if (usage.payer !== payer) return `payer ${usage.payer ?? 'none'} and ${payer ?? 'none'}`;
  if (usage.sku !== receipt.sku) return `product ${usage.sku} and ${receipt.sku}`;
  if (usage.units !== BigInt(receipt.units)) return `${usage.units} and ${receipt.units} units`;
  const month = monthOf(usage.occurredAt).start;
  if (usage.periodStart.getTime() !== month.getTime()) {
    return `counted in the month of ${usage.periodStart.toISOString()}, made at ${usage.occurredAt.toISOString()}`;
  }
  return compareTimes(usage, receipt);
}

function accountOf(receipt: ReceiptPayload): string | null {
  if (receipt.rail === 'free') return null;
  return receipt.rail === 'key' ? receipt.principal : (receipt.account ?? null);
}

/**
 * What was signed decides when a call was made, and so its price and its month. The id of an exchange is a UUIDv7 of
 * the moment at which it opened, and it is in the receipt: usage must be of that millisecond. An id of another version
 * says no time; then usage may be as far from the signature as a call takes.
 */
function compareTimes({ rail, occurredAt }: FeedUsage, { id, issuedAt }: ReceiptPayload): string | null {
  const openedAtMs = timeOfId(id);
  if (openedAtMs !== null && openedAtMs !== occurredAt.getTime()) {
    return `made at ${occurredAt.toISOString()}, opened at ${new Date(openedAtMs).toISOString()}`;
  }
  const tookMs = issuedAt * 1_000 - occurredAt.getTime();
  if (tookMs >= -clockSkewMs && tookMs <= longestCallMs[rail]) return null;
  return `made at ${occurredAt.toISOString()}, signed at ${new Date(issuedAt * 1_000).toISOString()}`;
}

/** The milliseconds since 1970 that a UUIDv7 begins with (RFC 9562, section 5.7); null for another version. */
function timeOfId(id: string): number | null {
  return id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : null;
}

/** Whether it is the usage alone that keeps the row from being read: it is missing, in part, or where none belongs. */
function hasWrongUsage(row: FeedRow): boolean {
  try {
    parseFeedEntry({ ...row, ...noUsage, kind: row.kind === 'call' ? 'terms' : row.kind });
    return true;
  } catch (error) {
    if (isProblem(error)) return false;
    throw error;
  }
}

const noUsage = {
  usage_rail: null,
  usage_account: null,
  usage_payer: null,
  usage_sku: null,
  usage_units: null,
  usage_period_start: null,
  usage_occurred_at: null,
};

function bad(fault: EntryFault, detail: string): Verdict {
  return { outcome: 'bad', fault, detail };
}
