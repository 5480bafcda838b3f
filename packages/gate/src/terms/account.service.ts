import { randomBytes } from 'node:crypto';
import type { PlanTerms } from '@keyfare/core/metering';
import { Problem } from '@keyfare/core/problem';
import type { Sql } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AccountEntity } from './account.entity.js';
import { PlanEntity } from './plan.entity.js';
import { termsOf } from './plan.service.js';

/** A customer under contract, with the terms that hold for them now. */
export interface Account {
  readonly id: string;
  readonly name: string;
  readonly plan: PlanTerms;
  readonly status: 'active' | 'suspended';
  readonly createdAt: Date;
}

/** The accounts. What belongs to more than this room (terms in the log, limits of the meter) is the corridor's. */
@Injectable()
export class AccountService {
  constructor(private readonly dataSource: DataSource) {}

  newId(): string {
    return `acct_${randomBytes(12).toString('base64url')}`;
  }

  /** 404 `account/not-found`. */
  async find(id: string): Promise<Account> {
    const account = await this.dataSource.manager.findOneBy(AccountEntity, { id });
    if (account === null) throw new Problem('account/not-found');
    const plan = await this.dataSource.manager.findOneByOrFail(PlanEntity, { id: account.planId });
    return { id, name: account.name, plan: termsOf(plan), status: account.status, createdAt: account.createdAt };
  }

  /** Every account, oldest first, in two statements however many there are. */
  async list(): Promise<readonly Account[]> {
    const accounts = await this.dataSource.manager.find(AccountEntity, { order: { createdAt: 'ASC', id: 'ASC' } });
    const plans = await this.dataSource.manager.find(PlanEntity);
    const termsById = new Map(plans.map((plan) => [plan.id, termsOf(plan)]));
    return accounts.flatMap(({ id, name, planId, status, createdAt }) => {
      const plan = termsById.get(planId);
      return plan === undefined ? [] : [{ id, name, plan, status, createdAt }];
    });
  }

  /** Suspended accounts are refused with 403; what they used stays on their invoice. 404 `account/not-found`. */
  async setStatus(id: string, status: Account['status']): Promise<Account> {
    await this.dataSource.manager.update(AccountEntity, { id }, { status });
    return this.find(id);
  }

  /** Inserts a new account within the caller's transaction; the database dates its first terms. */
  async insert(tx: Sql, account: { id: string; name: string; planId: string }): Promise<Revision> {
    const [row] = await tx.query<RevisionRow>({
      text: `insert into keyfare.account (id, name, plan_id, created_at, revision, effective_at)
        select $1, $2, $3, at, 1, at from date_trunc('milliseconds', clock_timestamp()) as at
        returning name, revision, effective_at`,
      values: [account.id, account.name, account.planId],
    });
    return revisionOf(row);
  }

  /**
   * Changes the account's plan within the caller's transaction, which holds the row's lock from here on: the lock orders
   * the changes, so it also counts and dates them. 404 `account/not-found`.
   */
  async setPlan(tx: Sql, id: string, planId: string): Promise<Revision> {
    await tx.query({ text: 'select 1 from keyfare.account where id = $1 for update', values: [id] });
    const [row] = await tx.query<RevisionRow>({
      text: `update keyfare.account
        set plan_id = $2, revision = revision + 1,
          effective_at = greatest(effective_at, date_trunc('milliseconds', clock_timestamp()))
        where id = $1 returning name, revision, effective_at`,
      values: [id, planId],
    });
    return revisionOf(row);
  }
}

/** One change of an account's terms: which one it is, and from when on it holds. */
export interface Revision {
  readonly accountName: string;
  readonly revision: bigint;
  readonly effectiveAt: Date;
}

interface RevisionRow {
  readonly name: string;
  readonly revision: string;
  readonly effective_at: Date;
}

function revisionOf(row: RevisionRow | undefined): Revision {
  if (row === undefined) throw new Problem('account/not-found');
  return { accountName: row.name, revision: BigInt(row.revision), effectiveAt: row.effective_at };
}
