import { formatMoney, money } from '@keyfare/core/money';
import { z } from 'zod';
import type { BreakEntity } from './break.entity.js';

/** A break, as it is answered. Amounts are decimals, such as `0.001000`. */
export const breakView = z
  .object({
    id: z.string(),
    class: z.string(),
    keys: z.record(z.string(), z.string()),
    asset: z.enum(['USD', 'USDC']).nullable(),
    amount: z.string().nullable(),
    side: z.enum(['receipt', 'usage', 'ledger', 'chain']),
    detail: z.string(),
    status: z.enum(['open', 'resolved']),
    owner: z.string().nullable(),
    resolution: z.string().nullable(),
    resolvedBy: z.enum(['system', 'operator']).nullable(),
    resolvedAt: z.iso.datetime().nullable(),
    note: z.string().nullable(),
    firstSeen: z.iso.datetime(),
    lastSeen: z.iso.datetime(),
    ageDays: z.int().nonnegative(),
  })
  .meta({ id: 'Break' });

const dayMs = 86_400_000;

/** Its age ends when it is resolved. */
export function viewBreak(found: BreakEntity, now: Date): z.infer<typeof breakView> {
  const { asset, amount, resolvedAt, firstSeen, lastSeen } = found;
  return {
    id: found.id,
    class: found.class,
    keys: found.keys,
    asset,
    amount: asset === null || amount === null ? null : formatMoney(money(asset, amount)),
    side: found.side,
    detail: found.detail,
    status: found.status,
    owner: found.owner,
    resolution: found.resolution,
    resolvedBy: found.resolvedBy,
    resolvedAt: resolvedAt?.toISOString() ?? null,
    note: found.note,
    firstSeen: firstSeen.toISOString(),
    lastSeen: lastSeen.toISOString(),
    ageDays: Math.max(0, Math.floor(((resolvedAt ?? now).getTime() - firstSeen.getTime()) / dayMs)),
  };
}
