import { z } from 'zod';
import type { Rail } from '../metering/index.js';
import { Problem } from '../problem/index.js';
import type { EntryKind } from './document.js';

/** The usage that a call recorded in the same commit as its entry. */
export interface FeedUsage {
  readonly rail: Rail;
  /** Null for a payer without an account. */
  readonly account: string | null;
  /** Null on the key rail. On the free rail the wallet that showed a payment, or `anonymous`. */
  readonly payer: string | null;
  readonly sku: string;
  readonly units: bigint;
  readonly periodStart: Date;
  readonly occurredAt: Date;
}

/** One entry as the feed hands it on. */
export interface FeedEntry {
  /** Its place in the order of the log: 1, 2, 3 and so on, without gaps. */
  readonly place: bigint;
  readonly id: string;
  readonly kind: EntryKind;
  /** The account or the payer. */
  readonly principal: string;
  /** SHA-256 of the signed document, 32 bytes. */
  readonly digest: Uint8Array;
  readonly recordedAt: Date;
  /** The signed document; null once it was erased. The digest stays. */
  readonly jws: string | null;
  /** Null for entries that are not calls. */
  readonly usage: FeedUsage | null;
}

// Counts arrive as a driver reads a bigint: text, a bigint or, if small, a number.
const whole = z.union([
  z.bigint().nonnegative(),
  z.int().nonnegative().transform(BigInt),
  z
    .string()
    .regex(/^(?:0|[1-9]\d{0,19})$/)
    .transform(BigInt),
]);
const isoTime = z.iso.datetime({ offset: true }).transform((iso) => new Date(iso));
const time = z.union([z.date(), isoTime.pipe(z.date())]);
const text = z.string().min(1).max(200);

const row = z.object({
  place: whole,
  id: z.uuid(),
  kind: z.enum(['call', 'terms', 'unpaid', 'settlement', 'refund-due', 'reversed']),
  principal: text,
  digest: z.instanceof(Uint8Array).refine((bytes) => bytes.length === 32, { error: 'must be 32 bytes' }),
  recorded_at: time,
  jws: z.string().min(1).max(8192).nullable(),
  usage_rail: z.enum(['key', 'x402', 'free']).nullable(),
  usage_account: text.nullable(),
  usage_payer: text.nullable(),
  usage_sku: text.nullable(),
  usage_units: whole.nullable(),
  usage_period_start: time.nullable(),
  usage_occurred_at: time.nullable(),
});

/**
 * Reads a row of the view `keyfare.entry_feed`. Columns that it does not know are left alone, so that the view may
 * grow. Refuses a row with a column missing or of the wrong kind, usage that is there in part, a call without usage,
 * and usage on anything but a call: Problem `log/malformed`.
 */
export function parseFeedEntry(value: unknown): FeedEntry {
  const parsed = row.safeParse(value);
  if (!parsed.success) {
    const columns = parsed.error.issues.map((issue) => issue.path.join('.') || 'row');
    throw new Problem('log/malformed', `The row of the feed is malformed at ${columns.join(', ')}.`);
  }
  const { place, id, kind, principal, digest, jws, recorded_at: recordedAt } = parsed.data;
  return { place, id, kind, principal, digest, recordedAt, jws, usage: parseUsage(parsed.data) };
}

function parseUsage(fields: z.infer<typeof row>): FeedUsage | null {
  const {
    kind,
    usage_rail: rail,
    usage_account: account,
    usage_payer: payer,
    usage_sku: sku,
    usage_units: units,
    usage_period_start: periodStart,
    usage_occurred_at: occurredAt,
  } = fields;
  if (kind !== 'call') {
    const present = [rail, account, payer, sku, units, periodStart, occurredAt].some((field) => field !== null);
    if (present) throw new Problem('log/malformed', `An entry of kind ${kind} has no usage.`);
    return null;
  }
  if (rail === null || sku === null || units === null || periodStart === null || occurredAt === null) {
    throw new Problem('log/malformed', 'A call must come with its usage, all of it.');
  }
  // The caller must be known: an account on the key rail, a payer (perhaps with an account) on x402, no account on the
  // free.
  const isWhose = rail === 'key' ? account !== null && payer === null : payer !== null;
  if (!isWhose || (rail === 'free' && account !== null)) {
    throw new Problem('log/malformed', `The usage of a call on the ${rail} rail does not say whose it is.`);
  }
  return { rail, account, payer, sku, units, periodStart, occurredAt };
}
