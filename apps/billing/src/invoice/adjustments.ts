import { randomUUID } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { nameOfPeriod } from '../billing-periods.js';
import { clock } from '../tokens.js';

/** `waiting`: for an approval. `open`: nothing, or not all of it, is on a final invoice. */
export const adjustmentStates = ['waiting', 'open', 'invoiced', 'withdrawn'] as const;
export type AdjustmentState = (typeof adjustmentStates)[number];

/** An adjustment; amounts in micro-dollars, below 0 for a credit. */
export interface Adjustment {
  readonly id: string;
  readonly account: string;
  readonly periodStart: Date;
  /** In which the period begins, or its first day where that is not the first of a month. */
  readonly month: string;
  readonly amount: bigint;
  /** What of it is on final invoices. */
  readonly invoiced: bigint;
  readonly state: AdjustmentState;
  readonly prepaid: boolean;
  readonly description: string;
  readonly why: string;
  readonly madeById: string;
  readonly madeBy: string;
  readonly madeAt: Date;
  readonly approvedBy: string | null;
  readonly approvedAt: Date | null;
  readonly withdrawnBy: string | null;
  readonly withdrawnAt: Date | null;
  readonly invoices: readonly string[];
}

type Row = Omit<Adjustment, 'amount' | 'invoiced'> & { readonly amount: string; readonly invoiced: string };

const adjustments = `
  select * from (
    select a.id, a.account, a.period_start as "periodStart", ${nameOfPeriod('a.account', 'a.period_start')} as month, a.amount::text as amount, a.prepaid,
      coalesce(t.amount, 0)::text as invoiced, a.description, a.why, a.made_by_id as "madeById", a.made_by as "madeBy",
      a.made_at as "madeAt", a.approved_by as "approvedBy", a.approved_at as "approvedAt",
      a.withdrawn_by as "withdrawnBy", a.withdrawn_at as "withdrawnAt", coalesce(t.invoices, '{}') as invoices,
      case when a.withdrawn_at is not null then 'withdrawn' when t.amount = a.amount then 'invoiced'
        when a.needs_approval and a.approved_at is null then 'waiting' else 'open' end as state
    from billing.adjustment a
    left join lateral (
      select sum(t.amount) as amount, array_agg(i.id::text order by i.issued_at) as invoices
      from billing.invoice_adjustment t join billing.invoice i on i.id = t.invoice_id
      where t.adjustment_id = a.id and i.state <> 'void') as t on true) as adjustment`;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What operators add to invoices, or take from them. */
@Injectable()
export class Adjustments {
  constructor(
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Answers its id. */
  async add(
    tx: Sql,
    given: Pick<
      Adjustment,
      'account' | 'periodStart' | 'amount' | 'prepaid' | 'description' | 'why' | 'madeById' | 'madeBy'
    > & {
      readonly needsApproval: boolean;
    },
  ): Promise<string> {
    const id = randomUUID();
    const { account, periodStart, amount, prepaid, description, why, needsApproval, madeById, madeBy } = given;
    await tx.query({
      text: `insert into billing.adjustment (id, account, period_start, amount, description, why, needs_approval,
          made_by_id, made_by, made_at, prepaid)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      values: [
        id,
        account,
        periodStart,
        amount.toString(),
        description,
        why,
        needsApproval,
        madeById,
        madeBy,
        this.now(),
        prepaid,
      ],
    });
    return id;
  }

  async approve(tx: Sql, id: string, by: string): Promise<void> {
    await tx.query({
      text: 'update billing.adjustment set approved_by = $2, approved_at = $3 where id = $1',
      values: [id, by, this.now()],
    });
  }

  async withdraw(tx: Sql, id: string, by: string): Promise<void> {
    await tx.query({
      text: 'update billing.adjustment set withdrawn_by = $2, withdrawn_at = $3 where id = $1',
      values: [id, by, this.now()],
    });
  }

  /** In the order in which they were made; one more than `limit`, where there are so many. */
  async list({
    account,
    state,
    after,
    limit,
  }: {
    readonly account: string | undefined;
    readonly state: AdjustmentState | undefined;
    readonly after: readonly string[] | null;
    readonly limit: number;
  }): Promise<readonly Adjustment[]> {
    const [madeAt = null, id = null] = after ?? [];
    const rows = await this.sql.query<Row>({
      text: `${adjustments}
        where ($1::timestamptz is null or ("madeAt", id) > ($1, $2::uuid)) and ($3::text is null or account = $3)
          and ($4::text is null or state = $4)
        order by "madeAt", id limit $5`,
      values: [madeAt, id, account ?? null, state ?? null, limit + 1],
    });
    return rows.map(adjustmentOf);
  }

  /** 404 `adjustment/not-found`. */
  async find(id: string, sql: Sql = this.sql): Promise<Adjustment> {
    const rows = uuid.test(id) ? await sql.query<Row>({ text: `${adjustments} where id = $1`, values: [id] }) : [];
    const [row] = rows;
    if (row === undefined) throw new Problem('adjustment/not-found');
    return adjustmentOf(row);
  }
}

function adjustmentOf({ amount, invoiced, ...row }: Row): Adjustment {
  return { ...row, amount: BigInt(amount), invoiced: BigInt(invoiced) };
}
