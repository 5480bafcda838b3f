import { isProblem, Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { InvoiceService } from '../invoice/invoice.service.js';
import { type Invoice, outstandingOf } from '../invoice/invoice-row.js';
import type { LedgerAccount } from '../ledger/chart.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { prepaidBalance } from '../prepaid.sql.js';
import { clock } from '../tokens.js';
import { awaitBooks } from '../turns.js';
import { journalsOfBadDebt, journalsOfPayment } from './invoice-journals.js';

/** Money that is applied to an invoice. */
export interface AppliedPayment {
  readonly invoice: string;
  /** Micro-dollars, more than zero. */
  readonly amount: bigint;
  /** The ledger account in dollars that has the money. */
  readonly debit: LedgerAccount;
  /** What brought the money: applied to one invoice once. */
  readonly source: string;
}

/** Which money is taken from an invoice again, by whom, and why. */
export interface UndonePayment {
  readonly invoice: string;
  readonly source: string;
  readonly by: string;
  readonly why: string;
}

/** What happens to an invoice after it became final. Each within the caller's transaction. */
@Injectable()
export class InvoiceLife {
  constructor(
    private readonly invoices: InvoiceService,
    private readonly ledger: LedgerService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * The invoice, which nobody else changes until the transaction ends; it has the turn for the books from here on. 404
   * `invoice/not-found`.
   */
  async lock(tx: Sql, id: string): Promise<Invoice> {
    await awaitBooks(tx);
    await tx.query({ text: 'select 1 from billing.invoice where id = $1 for update', values: [id] });
    return this.invoices.find(id, tx);
  }

  /** An operator takes the draft as it is for right. 409 `invoice/conflict` for what is no draft. */
  async approve(tx: Sql, { invoice }: Invoice, by: string): Promise<Invoice> {
    requireState(invoice, ['draft']);
    await tx.query({
      text: 'update billing.invoice set approved_digest = digest, approved_by = $2 where id = $1',
      values: [invoice.id, by],
    });
    return this.invoices.find(invoice.id, tx);
  }

  /**
   * Undoes what it posted; its period is drawn up again under another id. 409 `invoice/conflict` unless it is final,
   * and nothing was paid or credited.
   */
  async void(tx: Sql, { invoice }: Invoice): Promise<Invoice> {
    requireState(invoice, ['final']);
    const { id, account, periodStart, credited } = invoice;
    if (credited > 0n) throw new Problem('invoice/conflict', 'The invoice has credit notes.');
    await this.#move(tx, id, 'void');
    await requirePrepaid(tx, account, 'invoice/conflict');
    const days = await tx.query<{ source: string }>({
      text: `select distinct 'release:' || invoice_id || ':' || day as source from billing.invoice_release
        where invoice_id = $1 and released_at is not null`,
      values: [id],
    });
    await this.ledger.reverse(tx, [`invoice:${id}`, ...days.map(({ source }) => source)]);
    try {
      await this.invoices.drawUp(tx, account, periodStart);
    } catch (error) {
      // The terms of the period have gone meanwhile: there is nothing to bill again.
      if (!isProblem(error) || error.code !== 'invoice/not-found') throw error;
    }
    return this.invoices.find(id, tx);
  }

  /** What is still to be paid is a loss. 409 `invoice/conflict` unless it is final or partially paid. */
  async giveUp(tx: Sql, { invoice }: Invoice): Promise<Invoice> {
    requireState(invoice, ['final', 'partially_paid']);
    const { id, customerId } = invoice;
    await this.#move(tx, id, 'uncollectible');
    const amount = outstandingOf(invoice);
    await this.ledger.post(
      tx,
      journalsOfBadDebt({ invoice: id, customer: present(customerId), amount, at: this.now() }),
    );
    return this.invoices.find(id, tx);
  }

  /**
   * Applies money to a final invoice, and posts it: `debit` to the customer's receivable. The same source again changes
   * nothing. 409 `invoice/conflict` for an invoice that is not to be paid, and for more than is outstanding.
   */
  async applyPayment(tx: Sql, { invoice: id, amount, debit, source }: AppliedPayment): Promise<Invoice> {
    if (amount <= 0n) throw new RangeError('a payment is more than zero');
    const { invoice } = await this.lock(tx, id);
    const at = this.now();
    const known = await tx.query({
      text: 'select 1 from billing.invoice_payment where source = $1 and invoice_id = $2',
      values: [source, id],
    });
    if (known.length > 0) return this.invoices.find(id, tx);
    requireState(invoice, ['final', 'partially_paid']);
    const left = outstandingOf(invoice) - amount;
    if (left < 0n) throw new Problem('invoice/conflict', 'The payment is more than is still to be paid.');
    await tx.query({
      text: `insert into billing.invoice_payment (source, invoice_id, debit, amount, applied_at)
        values ($1, $2, $3, $4, $5)`,
      values: [source, id, debit.code, amount.toString(), at],
    });
    await tx.query({
      text: `update billing.invoice set state = $2, paid = paid + $3::numeric, updated_at = $4 where id = $1`,
      values: [id, left === 0n ? 'paid' : 'partially_paid', amount.toString(), at],
    });
    const customer = present(invoice.customerId);
    await this.ledger.post(tx, journalsOfPayment({ source, invoice: id, customer, debit, amount, at }));
    return this.invoices.find(id, tx);
  }

  /**
   * Takes money from an invoice that was applied to it: the journals of that are reversed, dated as they were or into
   * the first open month, and the invoice is to be paid again. 409 `invoice/conflict` for one that was given up.
   */
  async undoPayment(tx: Sql, { invoice: id, source, by, why }: UndonePayment): Promise<Invoice> {
    const { invoice } = await this.lock(tx, id);
    requireState(invoice, ['partially_paid', 'paid']);
    const journals = `payment:${source}:${id}`;
    await this.ledger.reverse(tx, [journals]);
    const [undone] = await tx.query<{ amount: string }>({
      text: `with added as (
          insert into billing.invoice_payment_undone (source, invoice_id, undone_at, effective_at, undone_by, why)
          select $1, $2, $3, max(effective_at), $4, $5 from billing.journal where source = $6 and reverses is not null
          returning source, invoice_id)
        select p.amount::text as amount from added join billing.invoice_payment p using (source, invoice_id)`,
      values: [source, id, this.now(), by, why, journals],
    });
    if (undone === undefined) throw new TypeError('the statement answered no row');
    const paid = invoice.paid - BigInt(undone.amount);
    await tx.query({
      text: 'update billing.invoice set state = $2, paid = $3, updated_at = $4 where id = $1',
      values: [id, paid === 0n ? 'final' : 'partially_paid', paid.toString(), this.now()],
    });
    return this.invoices.find(id, tx);
  }

  async #move(tx: Sql, id: string, state: 'uncollectible' | 'void'): Promise<void> {
    await tx.query({
      text: 'update billing.invoice set state = $2, updated_at = $3 where id = $1',
      values: [id, state, this.now()],
    });
  }
}

/** 409 `invoice/conflict`. */
export function requireState({ state }: Invoice['invoice'], allowed: readonly Invoice['invoice']['state'][]): void {
  if (!allowed.includes(state)) throw new Problem('invoice/conflict', `The invoice is ${state}.`);
}

/** What was paid ahead stays enough for the invoices that drew on it: else the problem of this code. */
export async function requirePrepaid(
  tx: Sql,
  account: string,
  code: 'credit-note/too-much' | 'invoice/conflict',
): Promise<void> {
  const [row] = await tx.query<{ short: boolean }>({
    text: `select ${prepaidBalance('$1')} < 0 as short`,
    values: [account],
  });
  if (row?.short === true) throw new Problem(code, 'Later invoices have drawn on what was paid ahead by it.');
}

/** A final invoice has a customer. One that a release before this one made final has none, and was never posted. */
export function present(customer: string | null): string {
  if (customer === null) throw new Problem('invoice/conflict', 'The invoice was made final without a customer.');
  return customer;
}
