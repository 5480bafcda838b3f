import { randomUUID } from 'node:crypto';
import type { PlanTerms } from '@keyfare/core/metering';
import { unixSeconds } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from './config.js';
import { appendEntry } from './log/append.sql.js';
import { MeterService } from './meter/meter.service.js';
import { ReceiptService } from './receipt/receipt.service.js';
import { type Account, AccountService } from './terms/account.service.js';
import { PlanService } from './terms/plan.service.js';

/**
 * Opens accounts and changes their terms. Terms go into the log as a signed entry, in the transaction that makes them
 * true: billing learns of them from the log and from nowhere else.
 */
@Injectable()
export class AgreementService {
  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly accounts: AccountService,
    private readonly plans: PlanService,
    private readonly meter: MeterService,
    private readonly receipts: ReceiptService,
  ) {}

  /** A new account on the newest version of a plan. 404 `plan/not-found`. */
  async open({ name, plan }: { name: string; plan: string }): Promise<Account> {
    const terms = await this.plans.newest(plan);
    const account: Account = {
      id: this.accounts.newId(),
      name,
      plan: terms,
      status: 'active',
      createdAt: this.config.clock(),
    };
    await this.#record(account, (sql) => this.accounts.insert(sql, account));
    return account;
  }

  /** Puts an account on the newest version of a plan, from now on. 404 `account/not-found` or `plan/not-found`. */
  async changePlan(accountId: string, plan: string): Promise<Account> {
    const terms = await this.plans.newest(plan);
    const account = { ...(await this.accounts.find(accountId)), plan: terms };
    await this.#record(account, async (sql) => {
      await this.accounts.setPlan(sql, accountId, terms.planId);
      await this.meter.changeTerms(sql, accountId);
    });
    return account;
  }

  async #record(
    account: { id: string; name: string; plan: PlanTerms },
    work: (sql: Parameters<Parameters<SqlPool['transaction']>[0]>[0]) => Promise<void>,
  ): Promise<void> {
    const { plan } = account;
    const now = this.config.clock();
    const id = randomUUID();
    const signed = this.receipts.sign(
      'terms',
      {
        version: 1,
        id,
        account: account.id,
        accountName: account.name,
        plan: { id: plan.planId, slug: plan.slug, version: plan.version },
        includedUnits: plan.includedUnits.toString(),
        overage: plan.overage,
        overagePrice: plan.overagePrice.atomic.toString(),
        monthlyPrice: plan.monthlyPrice.atomic.toString(),
        effectiveAt: unixSeconds(now),
        issuedAt: unixSeconds(now),
      },
      now,
    );
    await this.sql.transaction(async (tx) => {
      await work(tx);
      await this.receipts.store(tx, { id, kind: 'terms', principal: account.id }, signed);
      await tx.query({ text: appendEntry, values: [id, 'terms', account.id, signed.digest] });
    });
  }
}
