import type { BreakEntity } from './break.entity.js';
import type { BreakResolutionEntity } from './case.entity.js';

/** What a break's resolution posts, or would: the live one of them. */
export type LiveResolution = Pick<
  BreakResolutionEntity,
  | 'id'
  | 'nth'
  | 'kind'
  | 'text'
  | 'asset'
  | 'amount'
  | 'debit'
  | 'credit'
  | 'proposedBy'
  | 'proposedName'
  | 'proposedAt'
  | 'needsSecond'
> & { readonly state: 'proposed' | 'posted' };

/** A break as people see it. */
export type Break = Omit<BreakEntity, 'runId' | 'checkName' | 'place'> & {
  /** Null where there is none, and where a reconciliation resolved it. */
  readonly live: LiveResolution | null;
};

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
  readonly present: boolean;
  readonly happened_at: Date | null;
  readonly due: string | null;
  readonly live: (Omit<LiveResolution, 'amount' | 'proposedAt'> & { amount: string | null; proposedAt: string }) | null;
}

/** Selects rows of `BreakRow`: what follows may name `b`. */
export const breakRows = `
  select b.*, b.due_on::text as due, (
    select jsonb_build_object('id', r.id, 'nth', r.nth, 'kind', r.kind, 'text', r.text, 'asset', r.asset,
      'amount', r.amount::text, 'debit', r.debit, 'credit', r.credit, 'proposedBy', r.proposed_by,
      'proposedName', r.proposed_name, 'proposedAt', r.proposed_at, 'needsSecond', r.needs_second, 'state', r.state)
    from billing.break_resolution r where r.break_id = b.id and r.state in ('proposed', 'posted')) as live
  from billing.break b`;

export function breakOf(row: BreakRow): Break {
  const { live } = row;
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
    present: row.present,
    happenedAt: row.happened_at,
    dueOn: row.due,
    live:
      live === null
        ? null
        : {
            ...live,
            amount: live.amount === null ? null : BigInt(live.amount),
            proposedAt: new Date(live.proposedAt),
          },
  };
}
