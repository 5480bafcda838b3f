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

  async list(): Promise<readonly Account[]> {
    const accounts = await this.dataSource.manager.find(AccountEntity, { order: { createdAt: 'ASC' } });
    return Promise.all(accounts.map(async ({ id }) => this.find(id)));
  }

  /** Suspended accounts are refused with 403; what they used stays on their invoice. 404 `account/not-found`. */
  async setStatus(id: string, status: Account['status']): Promise<Account> {
    await this.dataSource.manager.update(AccountEntity, { id }, { status });
    return this.find(id);
  }

  /** Within the caller's transaction. */
  async insert(tx: Sql, account: Account): Promise<void> {
    await tx.query({
      text: 'insert into keyfare.account (id, name, plan_id, status, created_at) values ($1, $2, $3, $4, $5)',
      values: [account.id, account.name, account.plan.planId, account.status, account.createdAt],
    });
  }

  /** Within the caller's transaction. */
  async setPlan(tx: Sql, id: string, planId: string): Promise<void> {
    await tx.query({ text: 'update keyfare.account set plan_id = $2 where id = $1', values: [id, planId] });
  }
}
