import { assetCodes, formatMoney, money } from '@keyfare/core/money';
import { z } from 'zod';
import type { PastResolution } from './break.entity.js';
import type { Break } from './break-row.js';

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
    status: z.enum(['open', 'resolved']),
    owner: z.string().nullable(),
    resolution: z.string().nullable(),
    resolvedBy: z.enum(['system', 'operator']).nullable(),
    resolvedAt: z.iso.datetime().nullable(),
    note: z.string().nullable(),
    /** The resolutions that it had before, and why it has them no longer. */
    history: z.array(pastResolution),
    firstSeen: z.iso.datetime(),
    lastSeen: z.iso.datetime(),
    ageDays: z.int().nonnegative(),
  })
  .meta({ id: 'Break' });

const dayMs = 86_400_000;

/** Its age ends when it is resolved. */
export function viewBreak(found: Break, now: Date): z.infer<typeof breakView> {
  const { resolvedAt, firstSeen, lastSeen } = found;
  return {
    id: found.id,
    class: found.class,
    keys: found.keys,
    asset: found.asset,
    amount: decimalOf(found),
    side: found.side,
    detail: found.detail,
    status: found.status,
    owner: found.owner,
    resolution: found.resolution,
    resolvedBy: found.resolvedBy,
    resolvedAt: resolvedAt?.toISOString() ?? null,
    note: found.note,
    history: found.history.map(viewPast),
    firstSeen: firstSeen.toISOString(),
    lastSeen: lastSeen.toISOString(),
    ageDays: Math.max(0, Math.floor(((resolvedAt ?? now).getTime() - firstSeen.getTime()) / dayMs)),
  };
}

/** What changes only when the break does: its age, and when it was last seen, move with every day and every run. */
export function settledPart(view: z.infer<typeof breakView>): object {
  const { ageDays: _age, lastSeen: _seen, ...rest } = view;
  return rest;
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
