import { isProblem, Problem } from '@keyfare/core/problem';
import type { Clock, Period } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { readPeriod, readPeriodsOfMonth } from '../billing-periods.js';
import { BillingConfig } from '../config.js';
import { type Adjustment, Adjustments } from '../invoice/adjustments.js';
import { InvoiceService } from '../invoice/invoice.service.js';
import { openAdjustments } from '../open-adjustments.js';
import { clock } from '../tokens.js';
import { awaitBooks } from '../turns.js';

/** Who does it. */
interface By {
  readonly id: string;
  readonly name: string;
}

/** Adds to the next invoice of an account, or takes from it. Each within the caller's transaction. */
@Injectable()
export class Adjusting {
  constructor(
    private readonly config: BillingConfig,
    private readonly adjustments: Adjustments,
    private readonly invoices: InvoiceService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * For the first invoice whose period begins in `month`, or without one for that of the oldest draft, and where there
   * is none that of the running period. Above the limit it waits for another operator. 404 `account/not-found` for an
   * account without terms.
   */
  async add(
    tx: Sql,
    {
      account,
      month,
      amount,
      prepaid,
      description,
      why,
      by,
    }: Pick<Adjustment, 'account' | 'amount' | 'prepaid' | 'description' | 'why'> & {
      readonly month: Period | undefined;
      readonly by: By;
    },
  ): Promise<Adjustment> {
    await awaitBooks(tx);
    const [known] = await tx.query<{ oldest: Date | null }>({
      text: `select (select min(period_start) from billing.invoice where account = $1 and state = 'draft') as oldest
        where exists (select 1 from billing.terms where account = $1)`,
      values: [account],
    });
    if (known === undefined) throw new Problem('account/not-found', 'No terms of this account are known.');
    const size = amount < 0n ? -amount : amount;
    const [first] = month === undefined ? [] : await readPeriodsOfMonth(tx, account, month);
    const start = first?.start ?? known.oldest ?? (await readPeriod(tx, account, this.now())).start;
    const id = await this.adjustments.add(tx, {
      account,
      periodStart: start,
      amount,
      prepaid,
      description,
      why,
      needsApproval: size > this.config.invoiceApprovalAbove,
      madeById: by.id,
      madeBy: by.name,
    });
    await this.#drawUp(tx, id, account);
    return this.adjustments.find(id, tx);
  }

  /** 409 `adjustment/conflict` for one that waits for none, and for the operator who made it. */
  async approve(tx: Sql, id: string, by: By): Promise<Adjustment> {
    await awaitBooks(tx);
    const { state, madeById, account } = await this.adjustments.find(id, tx);
    if (state !== 'waiting') throw new Problem('adjustment/conflict', 'It waits for no approval.');
    if (madeById === by.id) throw new Problem('adjustment/conflict', 'Who made it cannot approve it.');
    await this.adjustments.approve(tx, id, by.name);
    await this.#drawUp(tx, id, account);
    return this.adjustments.find(id, tx);
  }

  /** 409 `adjustment/conflict` for one that is withdrawn, or of which a final invoice has taken something in. */
  async withdraw(tx: Sql, id: string, by: By): Promise<Adjustment> {
    await awaitBooks(tx);
    const { state, invoiced, account } = await this.adjustments.find(id, tx);
    if (state === 'withdrawn') throw new Problem('adjustment/conflict', 'It was withdrawn before.');
    if (invoiced !== 0n) throw new Problem('adjustment/conflict', 'It is on a final invoice.');
    const [month] = await this.#months(tx, id, account);
    await this.adjustments.withdraw(tx, id, by.name);
    if (month !== undefined) await this.#draft(tx, account, month);
    return this.adjustments.find(id, tx);
  }

  async #drawUp(tx: Sql, id: string, account: string): Promise<void> {
    const [month] = await this.#months(tx, id, account);
    if (month !== undefined) await this.#draft(tx, account, month);
  }

  /** The start of the period whose invoice it is for, if any has begun. */
  async #months(tx: Sql, id: string, account: string): Promise<readonly Date[]> {
    const rows = await tx.query<{ month: Date }>({
      text: `with ${openAdjustments('$1')} select month from adjusting where id = $2 and month <= $3`,
      values: [account, id, this.now()],
    });
    return rows.map(({ month }) => month);
  }

  async #draft(tx: Sql, account: string, start: Date): Promise<void> {
    try {
      await this.invoices.drawUp(tx, account, start);
    } catch (error) {
      // A credit alone makes no invoice: it waits for one.
      if (!isProblem(error) || error.code !== 'invoice/not-found') throw error;
    }
  }
}
