import type { PlanTerms } from '@keyfare/core/metering';
import { Problem } from '@keyfare/core/problem';
import { unixSeconds } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from './config.js';
import { newExchangeId } from './exchange/exchange.js';
import { KeyService } from './key/key.service.js';
import { appendEntry, loneEntry } from './log/append.sql.js';
import { MeterService } from './meter/meter.service.js';
import { ReceiptService } from './receipt/receipt.service.js';
import { type Account, AccountService, type Revision } from './terms/account.service.js';
import { type PlanChoice, PlanService } from './terms/plan.service.js';

/** What changes of an account. What is left out stays. */
export interface AccountChange {
  readonly name?: string | undefined;
  readonly plan?: PlanChoice | undefined;
  /** From when on nothing is sold to it, a time to come; null takes the end away. */
  readonly endsAt?: Date | null | undefined;
  readonly status?: 'active' | 'suspended' | undefined;
}

/**
 * Opens accounts and changes what they have agreed. Terms go into the log as a signed entry, in the transaction that
 * makes them true: billing learns of them from the log and from nowhere else. Each method takes part in the caller's
 * transaction where it is given one.
 */
@Injectable()
export class AgreementService {
  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly accounts: AccountService,
    private readonly plans: PlanService,
    private readonly keys: KeyService,
    private readonly meter: MeterService,
    private readonly receipts: ReceiptService,
  ) {}

  /** A new account. 404 `plan/not-found`. */
  async open({ name, plan }: { readonly name: string; readonly plan: PlanChoice }, within?: Sql): Promise<Account> {
    const id = this.accounts.newId();
    return this.#within(within, async (tx) => {
      const terms = await this.plans.choose(plan, tx);
      const revision = await this.accounts.insert(tx, { id, name, planId: terms.planId });
      await this.#record(tx, id, { ...revision, plan: terms });
      return this.accounts.find(id, tx);
    });
  }

  /** Puts an account on a plan from now on. 404 `account/not-found` or `plan/not-found`. */
  async changePlan(accountId: string, plan: PlanChoice, within?: Sql): Promise<Account> {
    return this.change(accountId, { plan }, within);
  }

  /**
   * Name, plan and end in one revision of the terms. 404 `account/not-found` or `plan/not-found`, 400 `request/invalid`
   * for an end that is past, 409 `account/conflict` for an account that is closed.
   */
  async change(accountId: string, change: AccountChange, within?: Sql): Promise<Account> {
    const { name, endsAt, status } = change;
    if (endsAt instanceof Date && endsAt <= this.config.clock()) throw inThePast('endsAt');
    return this.#within(within, async (tx) => {
      const plan = change.plan === undefined ? undefined : await this.plans.choose(change.plan, tx);
      const before = await this.accounts.lock(tx, accountId);
      if (before.status === 'closed') throw isClosed();
      if (status !== undefined) await this.accounts.setStatus(accountId, status, tx);
      if (name === undefined && plan === undefined && endsAt === undefined) return this.accounts.find(accountId, tx);
      const revision = await this.accounts.revise(tx, accountId, { name, planId: plan?.planId, endsAt });
      if (plan !== undefined) await this.meter.changeTerms(tx, accountId, { plan, at: revision.effectiveAt });
      await this.#record(tx, accountId, { ...revision, plan: plan ?? before.plan });
      return this.accounts.find(accountId, tx);
    });
  }

  /**
   * Closes an account for good: no call is served from now on, its keys are revoked, and its last invoice is due. 404
   * `account/not-found`, 409 `account/conflict` where it is closed.
   */
  async close(accountId: string, within?: Sql): Promise<Account> {
    return this.#within(within, async (tx) => {
      const { plan, status } = await this.accounts.lock(tx, accountId);
      if (status === 'closed') throw isClosed();
      const revision = await this.accounts.close(tx, accountId);
      await this.keys.revokeAll(tx, accountId);
      await this.#record(tx, accountId, { ...revision, plan });
      return this.accounts.find(accountId, tx);
    });
  }

  async #within<T>(within: Sql | undefined, work: (tx: Sql) => Promise<T>): Promise<T> {
    return within === undefined ? this.sql.transaction(work) : work(within);
  }

  /** Signs under the lock that dated the change: the order of the entries is the order of what they say. */
  async #record(tx: Sql, accountId: string, agreed: Revision & { readonly plan: PlanTerms }): Promise<void> {
    const { plan, effectiveAt, endsAt } = agreed;
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
        // Rounded up: a call that was served before the end is not dated after it.
        ...(endsAt !== null && { endsAt: Math.ceil(endsAt.getTime() / 1_000) }),
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

function isClosed(): Problem {
  return new Problem('account/conflict', 'The account is closed, for good.');
}

function inThePast(member: string): Problem {
  return new Problem('request/invalid', undefined, { extensions: { errors: [`${member} must be a time to come`] } });
}
