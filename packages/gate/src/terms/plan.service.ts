import { randomBytes } from 'node:crypto';
import type { Overage, PlanTerms } from '@keyfare/core/metering';
import { type Money, money } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import { errorCode } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { GateConfig } from '../config.js';
import { PlanEntity } from './plan.entity.js';

export interface NewPlan {
  readonly slug: string;
  readonly includedUnits: bigint;
  readonly overage: Overage;
  /** For each unit beyond the included ones, $0 included; null for no price, which only a plan that refuses them may have. */
  readonly overagePrice: Money | null;
  readonly monthlyPrice: Money;
}

/** Plans: named terms in versions that never change. */
@Injectable()
export class PlanService {
  constructor(
    private readonly config: GateConfig,
    private readonly dataSource: DataSource,
  ) {}

  /**
   * A plan, or the next version of one. Accounts stay on the version they have. 400 `request/invalid` where units beyond the
   * plan are sold and no price is set, 409 `plan/conflict` in a race.
   */
  async create(plan: NewPlan): Promise<PlanTerms> {
    if (plan.overage !== 'reject' && plan.overagePrice === null) {
      throw new Problem(
        'request/invalid',
        'A plan that sells units beyond the included ones needs an overagePrice; $0 is one.',
      );
    }
    const newest = await this.#newest(plan.slug);
    const version = (newest?.version ?? 0) + 1;
    const entity = {
      id: `plan_${randomBytes(9).toString('base64url')}`,
      slug: plan.slug,
      version,
      includedUnits: plan.includedUnits,
      overage: plan.overage,
      overagePrice: plan.overagePrice?.atomic ?? 0n,
      overageIsPriced: plan.overagePrice !== null,
      monthlyPrice: plan.monthlyPrice.atomic,
      createdAt: this.config.clock(),
    };
    try {
      await this.dataSource.manager.insert(PlanEntity, entity);
    } catch (error) {
      if (errorCode(error) === '23505') throw new Problem('plan/conflict', undefined, { cause: error });
      throw error;
    }
    return termsOf(entity);
  }

  /** The newest version of a plan. 404 `plan/not-found`. */
  async newest(slug: string): Promise<PlanTerms> {
    const plan = await this.#newest(slug);
    if (plan === null) throw new Problem('plan/not-found');
    return termsOf(plan);
  }

  /** Every version of every plan, newest first. */
  async list(): Promise<readonly PlanTerms[]> {
    const plans = await this.dataSource.manager.find(PlanEntity, { order: { slug: 'ASC', version: 'DESC' } });
    return plans.map(termsOf);
  }

  async #newest(slug: string): Promise<PlanEntity | null> {
    return this.dataSource.manager.findOne(PlanEntity, { where: { slug }, order: { version: 'DESC' } });
  }
}

/** A plan's price for a unit beyond the included ones; null where none was set. */
export function overagePriceOf({
  overage,
  overagePrice,
  overageIsPriced,
}: Pick<PlanEntity, 'overage' | 'overagePrice' | 'overageIsPriced'>): Money | null {
  const isPriced = overageIsPriced || overagePrice > 0n || overage === 'invoice';
  return isPriced ? money('USD', overagePrice) : null;
}

/** A plan's row as the terms that the gate works with. */
export function termsOf(plan: Omit<PlanEntity, 'createdAt'>): PlanTerms {
  return {
    planId: plan.id,
    slug: plan.slug,
    version: plan.version,
    includedUnits: plan.includedUnits,
    overage: plan.overage,
    overagePrice: overagePriceOf(plan),
    monthlyPrice: money('USD', plan.monthlyPrice),
  };
}
