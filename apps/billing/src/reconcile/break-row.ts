import type { BreakEntity } from './break.entity.js';

/** A break as people see it. */
export type Break = Omit<Omit<BreakEntity, 'present' | 'runId'>, 'checkName' | 'place' | 'happenedAt'>;

export interface BreakRow {
  readonly id: string;
  readonly class: string;
  readonly keys: Break['keys'];
  readonly asset: Break['asset'];
  readonly amount: string | null;
  readonly side: Break['side'];
  readonly detail: string;
  readonly status: Break['status'];
  readonly owner: string | null;
  readonly resolution: string | null;
  readonly note: string | null;
  readonly resolved_by: Break['resolvedBy'];
  readonly resolved_at: Date | null;
  readonly history: Break['history'];
  readonly first_seen: Date;
  readonly last_seen: Date;
}

export function breakOf(row: BreakRow): Break {
  return {
    id: row.id,
    class: row.class,
    keys: row.keys,
    asset: row.asset,
    amount: row.amount === null ? null : BigInt(row.amount),
    side: row.side,
    detail: row.detail,
    status: row.status,
    owner: row.owner,
    resolution: row.resolution,
    note: row.note,
    resolvedBy: row.resolved_by,
    resolvedAt: row.resolved_at,
    history: row.history,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
  };
}
