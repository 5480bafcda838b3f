import { randomBytes } from 'node:crypto';
import type { Overage, PlanTerms } from '@keyfare/core/metering';
import type { Money } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import { errorCode, type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { ListPool } from '../list-pool.js';
import { type PlanRow, planColumns, termsOf } from './plan-row.js';

export interface NewPlan {
  readonly slug: string;
  readonly includedUnits: bigint;
  readonly overage: Overage;
  /**
   * For each unit beyond the included ones, $0 included; null for no price, which only a plan that refuses them may
   * have.
   */
  readonly overagePrice: Money | null;
  readonly monthlyPrice: Money;
}

/** Which plan: a version of it, or by its slug alone the newest. */
export type PlanChoice = string | { readonly slug: string; readonly version?: number | undefined };

/** Plans: named terms in versions that never change. */
@Injectable()
export class PlanService {
  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly lists: ListPool,
  ) {}

  /**
   * A plan, or the next version of one. Accounts stay on the version they have. 400 `request/invalid` where units
   * beyond the plan are sold and no price is set, 409 `plan/conflict` in a race.
   */
  async create(plan: NewPlan, sql: Sql = this.sql): Promise<PlanTerms> {
    if (plan.overage !== 'reject' && plan.overagePrice === null) {
      throw new Problem(
        'request/invalid',
        'A plan that sells units beyond the included ones needs an overagePrice; $0 is one.',
      );
    }
    try {
      const [row] = await sql.query<PlanRow>({
        text: `
          with next as (select coalesce(max(version), 0) + 1 as version from keyfare.plan where slug = $2)
          insert into keyfare.plan as p (id, slug, version, included_units, overage, overage_price,
            overage_is_priced, monthly_price, created_at)
          select $1, $2, next.version, $3, $4, $5, $6, $7, $8 from next returning ${planColumns}`,
        values: [
          `plan_${randomBytes(9).toString('base64url')}`,
          plan.slug,
          plan.includedUnits.toString(),
          plan.overage,
          (plan.overagePrice?.atomic ?? 0n).toString(),
          plan.overagePrice !== null,
          plan.monthlyPrice.atomic.toString(),
          this.config.clock(),
        ],
      });
      return planOf(row);
    } catch (error) {
      if (errorCode(error) === '23505') throw new Problem('plan/conflict', undefined, { cause: error });
      throw error;
    }
  }

  /** The version that is named, or else the newest. 404 `plan/not-found`. */
  async choose(choice: PlanChoice, sql: Sql = this.sql): Promise<PlanTerms> {
    const { slug, version } = typeof choice === 'string' ? { slug: choice } : choice;
    const [row] = await sql.query<PlanRow>({
      text: `select ${planColumns} from keyfare.plan p
        where p.slug = $1 and ($2::integer is null or p.version = $2) order by p.version desc limit 1`,
      values: [slug, version ?? null],
    });
    return planOf(row);
  }

  /** Every version of every plan, by name and the newest first; one more than `limit`, where there are so many. */
  async list(
    after: { readonly slug: string; readonly version: string } | null,
    limit: number,
  ): Promise<readonly PlanTerms[]> {
    const rows = await this.lists.query<PlanRow>({
      text: `select ${planColumns} from keyfare.plan p
        where $1::text is null or p.slug > $1 or (p.slug = $1 and p.version < $2::bigint)
        order by p.slug, p.version desc limit $3`,
      values: [after?.slug ?? null, after?.version ?? null, limit + 1],
    });
    return rows.map(termsOf);
  }
}

function planOf(row: PlanRow | undefined): PlanTerms {
  if (row === undefined) throw new Problem('plan/not-found');
  return termsOf(row);
}
