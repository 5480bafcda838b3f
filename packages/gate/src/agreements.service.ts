import type { PlanTerms } from '@keyfare/core/metering';
import { unixSeconds } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { newExchangeId } from './exchange/exchange.js';
import { appendEntry, loneEntry } from './log/append.sql.js';
import { MeterService } from './meter/meter.service.js';
import { ReceiptService } from './receipt/receipt.service.js';
import { type Account, AccountService, type Revision } from './terms/account.service.js';
import { PlanService } from './terms/plan.service.js';

/**
 * Opens accounts and changes what they have agreed. Terms go into the log as a signed entry, in the transaction that
 * makes them true: billing learns of them from the log and from nowhere else.
 */
@Injectable()
export class AgreementService {
  constructor(
    private readonly sql: SqlPool,
    private readonly accounts: AccountService,
    private readonly plans: PlanService,
    private readonly meter: MeterService,
    private readonly receipts: ReceiptService,
  ) {}

  /** A new account on the newest version of a plan. 404 `plan/not-found`. */
  async open({ name, plan }: { name: string; plan: string }): Promise<Account> {
    const terms = await this.plans.newest(plan);
    const id = this.accounts.newId();
    await this.sql.transaction(async (tx) => {
      const revision = await this.accounts.insert(tx, { id, name, planId: terms.planId });
      await this.#record(tx, id, { ...revision, plan: terms });
    });
    return this.accounts.find(id);
  }

  /** Puts an account on the newest version of a plan, from now on. 404 `account/not-found` or `plan/not-found`. */
  async changePlan(accountId: string, plan: string): Promise<Account> {
    const terms = await this.plans.newest(plan);
    await this.sql.transaction(async (tx) => {
      const revision = await this.accounts.setPlan(tx, accountId, terms.planId);
      await this.meter.changeTerms(tx, accountId, { plan: terms, at: revision.effectiveAt });
      await this.#record(tx, accountId, { ...revision, plan: terms });
    });
    return this.accounts.find(accountId);
  }

  /** Signs under the lock that dated the change: the order of the entries is the order of what they say. */
  async #record(tx: Sql, accountId: string, agreed: Revision & { readonly plan: PlanTerms }): Promise<void> {
    const { plan, effectiveAt } = agreed;
    const id = newExchangeId(effectiveAt);
    const signed = this.receipts.sign(
      'terms',
      {
        version: 1,
        id,
        account: accountId,
        accountName: agreed.accountName,
        plan: { id: plan.planId, slug: plan.slug, version: plan.version },
        includedUnits: plan.includedUnits.toString(),
        overage: plan.overage,
        // Readers of before need the member: where none was agreed nothing is sold at it.
        overagePrice: (plan.overagePrice?.atomic ?? 0n).toString(),
        monthlyPrice: plan.monthlyPrice.atomic.toString(),
        revision: Number(agreed.revision),
        effectiveAt: unixSeconds(effectiveAt),
        issuedAt: unixSeconds(effectiveAt),
      },
      effectiveAt,
    );
    await tx.query({
      text: appendEntry,
      values: loneEntry.values([{ ...signed, id, kind: 'terms', principal: accountId }]),
    });
  }
}
