import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { MasterData } from '../customer/master-data.js';
import { deriveId } from '../derive-id.js';
import { outstandingOf } from '../invoice/invoice-row.js';
import { customerCredit, unidentifiedBank } from '../ledger/chart.js';
import { journalOf } from '../ledger/journal.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { type BankPayment, BankPayments } from '../receivable/bank-payments.js';
import { Credits } from '../receivable/credits.js';
import { invoiceOfReference } from '../receivable/find-invoice.js';
import { readNamedInvoices } from '../receivable/open-invoices.js';
import { clock } from '../tokens.js';
import { awaitBooks } from '../turns.js';
import { InvoiceLife } from './invoice-life.js';

/** Who applies what; without an amount as much as both sides have left. */
interface Wanted {
  readonly amount: bigint | undefined;
  readonly by: string;
}

/** Which match is undone, by whom, and why. */
interface Unmatched {
  readonly match: string;
  readonly by: string;
  readonly why: string;
}

/** Says which invoices bank payments and credits pay. Each within the caller's transaction. */
@Injectable()
export class BankMatches {
  constructor(
    private readonly payments: BankPayments,
    private readonly credits: Credits,
    private readonly customers: MasterData,
    private readonly invoices: InvoiceLife,
    private readonly ledger: LedgerService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * A payment pays an invoice, or a part of it. 404 of either; 409 `bank-payment/conflict` for more than is left of the
   * payment, `invoice/conflict` for more than is to be paid.
   */
  async match(tx: Sql, paymentId: string, { invoice, amount, by }: Wanted & { invoice: string }): Promise<BankPayment> {
    await awaitBooks(tx);
    const payment = await this.payments.find(paymentId, tx);
    const { invoice: found } = await this.invoices.lock(tx, invoice);
    const due = outstandingOf(found);
    const left = payment.amount - payment.matched;
    const taken = amount ?? (left < due ? left : due);
    await this.#pay(tx, payment, { invoice: found.id, amount: requireLeft(taken, left), rule: 'operator', by });
    return this.payments.find(paymentId, tx);
  }

  /**
   * A match was wrong: what was applied by it is taken from the invoice, and stands open again at the payment. 404
   * `bank-payment/not-found` for either; 409 `bank-payment/conflict` for a match that was undone before,
   * `invoice/conflict` where the rest of the invoice was given up.
   */
  async unmatch(tx: Sql, paymentId: string, { match, by, why }: Unmatched): Promise<BankPayment> {
    await awaitBooks(tx);
    const payment = await this.payments.find(paymentId, tx);
    const found = (await this.payments.matchesOf(payment.id, tx)).find(({ id }) => id === match);
    if (found === undefined) throw new Problem('bank-payment/not-found', 'The payment has no such match.');
    if (found.state === 'undone') throw new Problem('bank-payment/conflict', 'The match was undone before.');
    await tx.query({
      text: `update billing.match set state = 'undone', undone_at = $2, undone_by = $3, why = $4 where id = $1`,
      values: [match, this.now(), by, why],
    });
    await this.invoices.undoPayment(tx, { invoice: found.invoiceId, source: `match:${match}`, by, why });
    return this.payments.find(paymentId, tx);
  }

  /** Matches each payment whose reference names one invoice that is to be paid. Answers how many it matched. */
  async matchByNumber(tx: Sql, ids: readonly string[]): Promise<number> {
    const payments = await this.payments.findOpen(tx, ids);
    const issued = new Map(
      await readNamedInvoices(
        tx,
        payments.map(({ reference }) => reference),
      ),
    );
    let matched = 0;
    for (const payment of payments) {
      const left = payment.amount - payment.matched;
      const found = invoiceOfReference({ reference: payment.reference, amount: left }, issued);
      if (found === null) continue;
      const { invoice, amount } = found;
      await this.#pay(tx, payment, { invoice: invoice.id, amount, rule: 'invoice-number', by: null });
      for (const [number, one] of issued) {
        if (one.id === invoice.id) issued.set(number, { ...one, outstanding: one.outstanding - amount });
      }
      matched += 1;
    }
    return matched;
  }

  /** What is left of a payment, or a part of it, becomes credit of a customer. 404 of either; 409 as `match`. */
  async credit(
    tx: Sql,
    paymentId: string,
    { customer, amount, by }: Wanted & { customer: string },
  ): Promise<BankPayment> {
    await awaitBooks(tx);
    const payment = await this.payments.find(paymentId, tx);
    const { id: customerId } = await this.customers.find('customer', customer, tx);
    const left = payment.amount - payment.matched;
    const taken = requireLeft(amount ?? left, left);
    const id = await this.credits.add(tx, { customerId, bankPaymentId: payment.id, amount: taken, by });
    await this.ledger.post(tx, [
      journalOf({
        kind: 'bank',
        source: `customer-credit:${id}`,
        occurredAt: this.now(),
        debit: unidentifiedBank(),
        credit: customerCredit(customerId),
        amount: taken,
      }),
    ]);
    return this.payments.find(paymentId, tx);
  }

  /**
   * A customer's credit pays an invoice of the same customer. 404 of either; 409 `bank-payment/conflict` for more than
   * the credit, `invoice/conflict` for another's invoice and for more than is to be paid. Answers what is left.
   */
  async applyCredit(tx: Sql, customer: string, { invoice, amount, by }: Wanted & { invoice: string }): Promise<bigint> {
    await awaitBooks(tx);
    const { id: customerId } = await this.customers.find('customer', customer, tx);
    const { invoice: found } = await this.invoices.lock(tx, invoice);
    if (found.customerId !== customerId) throw new Problem('invoice/conflict', 'The invoice is of another customer.');
    const balance = await this.credits.balance(customerId, tx);
    const due = outstandingOf(found);
    const taken = requireLeft(amount ?? (balance < due ? balance : due), balance);
    const id = await this.credits.add(tx, { customerId, invoiceId: found.id, amount: taken, by });
    const debit = customerCredit(customerId);
    await this.invoices.applyPayment(tx, { invoice: found.id, amount: taken, debit, source: `customer-credit:${id}` });
    return balance - taken;
  }

  async #pay(
    tx: Sql,
    payment: BankPayment,
    { invoice, amount, rule, by }: { invoice: string; amount: bigint; rule: string; by: string | null },
  ): Promise<void> {
    const [before] = await tx.query<{ matches: number }>({
      text: 'select count(*)::int as matches from billing.match where invoice_id = $1 and bank_payment_id = $2',
      values: [invoice, payment.id],
    });
    const id = deriveId(`match:${invoice}/${payment.id}/${before?.matches ?? 0}`);
    await tx.query({
      text: `insert into billing.match (id, invoice_id, bank_payment_id, asset, amount, state, final_at, rule, matched_by,
          matched_at)
        values ($1, $2, $3, 'USD', $4, 'final', $5, $6, $7, $5)`,
      values: [id, invoice, payment.id, amount.toString(), this.now(), rule, by],
    });
    await this.invoices.applyPayment(tx, { invoice, amount, debit: unidentifiedBank(), source: `match:${id}` });
  }
}

/** 409 `bank-payment/conflict`. */
function requireLeft(amount: bigint, left: bigint): bigint {
  if (amount <= 0n || amount > left) throw new Problem('bank-payment/conflict');
  return amount;
}
