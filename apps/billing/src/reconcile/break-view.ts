import { assetCodes, formatMoney, money } from '@keyfare/core/money';
import { z } from 'zod';
import type { PastResolution } from './break.entity.js';
import type { Break, LiveResolution } from './break-row.js';
import { possibleKinds, resolutionKinds, severities, severityOf } from './kinds.js';

const amountOrNull = z.string().nullable();

const pastResolution = z.object({
  at: z.iso.datetime(),
  why: z.string(),
  amount: amountOrNull,
  side: z.string(),
  detail: z.string(),
  resolution: z.string(),
  resolvedBy: z.enum(['system', 'operator']),
  resolvedAt: z.iso.datetime(),
});

const posting = z.object({
  kind: z.enum(resolutionKinds),
  text: z.string(),
  asset: z.enum(assetCodes).nullable(),
  amount: amountOrNull,
  /** The ledger accounts; null where nothing is posted. */
  debit: z.string().nullable(),
  credit: z.string().nullable(),
  /** The source of its journal. */
  source: z.string(),
  proposedBy: z.string(),
  proposedAt: z.iso.datetime(),
});

/** A break, as it is answered. Amounts are decimals, such as `0.001000`. */
export const breakView = z
  .object({
    id: z.string(),
    class: z.string(),
    keys: z.record(z.string(), z.string()),
    asset: z.enum(assetCodes).nullable(),
    amount: amountOrNull,
    side: z.enum(['receipt', 'usage', 'ledger', 'chain']),
    detail: z.string(),
    severity: z.enum(severities),
    status: z.enum(['open', 'resolved']),
    owner: z.string().nullable(),
    dueOn: z.string().nullable(),
    resolution: z.string().nullable(),
    resolvedBy: z.enum(['system', 'operator']).nullable(),
    resolvedAt: z.iso.datetime().nullable(),
    note: z.string().nullable(),
    /** What the resolution posts; null for none, and where a reconciliation resolved it. */
    posting: posting.nullable(),
    /** A resolution that waits for a second operator. */
    proposal: posting.nullable(),
    possibleKinds: z.array(z.enum(resolutionKinds)),
    /** The resolutions that it had before, and why it has them no longer. */
    history: z.array(pastResolution),
    firstSeen: z.iso.datetime(),
    lastSeen: z.iso.datetime(),
    /** When what it is about happened; null where that is not known. */
    happenedAt: z.iso.datetime().nullable(),
    /** Since it happened, or was first seen where that is not known. */
    ageDays: z.int().nonnegative(),
  })
  .meta({ id: 'Break' });

const dayMs = 86_400_000;

/** Its age ends when it is resolved. */
export function viewBreak(found: Break, now: Date): z.infer<typeof breakView> {
  const { resolvedAt, firstSeen, lastSeen, happenedAt, live } = found;
  const since = happenedAt ?? firstSeen;
  return {
    id: found.id,
    class: found.class,
    keys: found.keys,
    asset: found.asset,
    amount: decimalOf(found),
    side: found.side,
    detail: found.detail,
    severity: severityOf(found.class),
    status: found.status,
    owner: found.owner,
    dueOn: found.dueOn,
    resolution: found.resolution,
    resolvedBy: found.resolvedBy,
    resolvedAt: resolvedAt?.toISOString() ?? null,
    note: found.note,
    posting: live?.state === 'posted' && found.status === 'resolved' ? viewPosting(found.id, live) : null,
    proposal: live?.state === 'proposed' ? viewPosting(found.id, live) : null,
    possibleKinds: [...possibleKinds(found.class)],
    history: found.history.map(viewPast),
    firstSeen: firstSeen.toISOString(),
    lastSeen: lastSeen.toISOString(),
    happenedAt: happenedAt?.toISOString() ?? null,
    ageDays: Math.max(0, Math.floor(((resolvedAt ?? now).getTime() - since.getTime()) / dayMs)),
  };
}

/** What changes only when the break does: its age, and when it was last seen, move with every day and every run. */
export function settledPart(view: z.infer<typeof breakView>): object {
  const { ageDays: _age, lastSeen: _seen, ...rest } = view;
  return rest;
}

function viewPosting(id: string, live: LiveResolution): z.infer<typeof posting> {
  const { kind, text, asset, debit, credit, proposedName, proposedAt } = live;
  return {
    kind,
    text,
    asset,
    amount: decimalOf(live),
    debit,
    credit,
    source: sourceOf(id, live.nth),
    proposedBy: proposedName,
    proposedAt: proposedAt.toISOString(),
  };
}

/** The source of the journal of a break's nth resolution. */
export function sourceOf(id: string, nth: number): string {
  return `break:${id}#${nth}`;
}

function viewPast(past: PastResolution): z.infer<typeof pastResolution> {
  const { why, side, detail, resolution, resolvedBy } = past;
  return {
    at: new Date(past.at).toISOString(),
    why,
    amount: decimalOf({ asset: past.asset, amount: past.amount === null ? null : BigInt(past.amount) }),
    side,
    detail,
    resolution,
    resolvedBy,
    resolvedAt: new Date(past.resolvedAt).toISOString(),
  };
}

function decimalOf({ asset, amount }: Pick<Break, 'asset' | 'amount'>): string | null {
  return asset === null || amount === null ? null : formatMoney(money(asset, amount));
}
