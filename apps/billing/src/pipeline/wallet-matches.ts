import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { MasterData } from '../customer/master-data.js';
import { deriveId } from '../derive-id.js';
import { conversion, customerCredit, refundsDue, unidentifiedReceipts } from '../ledger/chart.js';
import { compoundJournal, journalOf } from '../ledger/journal.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { Credits } from '../receivable/credits.js';
import { codeSql } from '../token.js';
import { clock } from '../tokens.js';
import { lockWallets } from '../treasury/registry.js';
import { awaitBooks } from '../turns.js';
import { InvoiceLife } from './invoice-life.js';

/** A transfer that paid an invoice. */
export interface PaidByTransfer {
  readonly match: string;
  readonly invoice: string;
  readonly transfer: string;
}

/** Which invoices were paid from the wallets of their customers, in USDC, one for one dollar. */
@Injectable()
export class WalletMatches {
  constructor(
    private readonly customers: MasterData,
    private readonly invoices: InvoiceLife,
    private readonly ledger: LedgerService,
    private readonly credits: Credits,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The wallet is the customer's from now on. 404 `customer/not-found`, 409 `customer-wallet/conflict` (another's). */
  async add(tx: Sql, customer: string, { address, by }: { address: string; by: string }): Promise<void> {
    const { id } = await this.customers.find('customer', customer, tx);
    const wallet = address.toLowerCase();
    await lockWallets(tx);
    const named = await tx.query({ text: 'select 1 from billing.wallet where address = $1', values: [wallet] });
    if (named.length > 0) throw new Problem('customer-wallet/conflict', 'The wallet is one of ours, or has a name.');
    await tx.query({
      text: `insert into billing.customer_wallet (address, customer_id, added_by, added_at) values ($1, $2, $3, $4)
        on conflict (address) do nothing`,
      values: [wallet, id, by, this.now()],
    });
    const owned = await tx.query({
      text: 'select 1 from billing.customer_wallet where address = $1 and customer_id = $2',
      values: [wallet, id],
    });
    if (owned.length === 0) throw new Problem('customer-wallet/conflict');
  }

  /**
   * Matches each transfer in a final block that came by no authorization, from a customer's wallet, with the one open
   * invoice of the customer of exactly its amount; two such invoices or transfers are left to a person. A thousand at
   * most, the oldest first, in the caller's transaction.
   */
  async matchByAmount(tx: Sql): Promise<readonly PaidByTransfer[]> {
    await awaitBooks(tx);
    const found = await tx.query<{ transfer: string; invoice: string; amount: string }>({
      text: `
        with came as (
          select t.id as transfer, w.customer_id, t.value as amount, t.block_time, count(*) over same as transfers
          from billing.chain_transfer t
          join billing.chain_cursor c on c.watch = t.watch and t.block_number <= c.finalized_number
          join billing.customer_wallet w on w.address = t.from_address
          where t.authorizer is null and t.orphaned_at is null and t.to_address = t.pay_to
            and t.from_address <> t.pay_to and t.value > 0 and not t.dust and ${codeSql('t.asset')} = 'USDC'
            and not exists (select 1 from billing.match m where m.transfer_id = t.id)
          window same as (partition by w.customer_id, t.value)),
        due as (
          select id as invoice, customer_id, payable_cents * 10000 - paid - credited as amount,
            count(*) over (partition by customer_id, payable_cents * 10000 - paid - credited) as invoices
          from billing.invoice where state in ('final', 'partially_paid') and customer_id is not null)
        select transfer, invoice, amount::text as amount from came join due using (customer_id, amount)
        where transfers = 1 and invoices = 1 order by block_time, transfer limit 1000`,
    });
    const matched: PaidByTransfer[] = [];
    for (const { transfer, invoice, amount } of found) {
      matched.push(await this.#pay(tx, { transfer, invoice, amount: BigInt(amount) }));
    }
    return matched;
  }

  /**
   * A transfer had paid an invoice of another purpose: the journals are reversed, the invoice is to be paid again, and
   * the money is unidentified again, which the next reconciliation says. No rule matches the transfer another time. 404
   * `invoice/not-found`; 409 `invoice/conflict` for one that was undone before, or an invoice that was given up.
   */
  async unmatch(
    tx: Sql,
    match: string,
    { by, why }: { readonly by: string; readonly why: string },
  ): Promise<PaidByTransfer> {
    await awaitBooks(tx);
    const [found] = await tx.query<{ invoice: string; transfer: string; state: string }>({
      text: `select invoice_id as invoice, transfer_id as transfer, state from billing.match
        where id = $1 and invoice_id is not null and transfer_id is not null for update`,
      values: [match],
    });
    if (found === undefined) throw new Problem('invoice/not-found', 'No transfer pays an invoice by that match.');
    if (found.state === 'undone') throw new Problem('invoice/conflict', 'The match was undone before.');
    await tx.query({
      text: `update billing.match set state = 'undone', undone_at = $2, undone_by = $3, why = $4 where id = $1`,
      values: [match, this.now(), by, why],
    });
    await this.invoices.undoPayment(tx, { invoice: found.invoice, source: `match:${match}`, by, why });
    await this.ledger.reverse(tx, [`conversion:${match}`]);
    return { match, invoice: found.invoice, transfer: found.transfer };
  }

  /**
   * What an entry says is owed back to a wallet of the customer's becomes credit, one dollar for one USDC; then it is
   * owed no longer. 404 `customer/not-found`; 409 `refund/conflict` where nothing in USDC is owed to such a wallet, or
   * it was paid back or credited before, or the API does not know of it yet (`isTold`) and might pay it too.
   */
  async creditRefund(
    tx: Sql,
    customer: string,
    { entry, by, isTold }: { readonly entry: string; readonly by: string; readonly isTold: boolean },
  ): Promise<bigint> {
    await awaitBooks(tx);
    const { id: customerId } = await this.customers.find('customer', customer, tx);
    const amount = await owedBack(tx, { customerId, entry });
    if (amount === null) throw new Problem('refund/conflict', 'No USDC is owed to a wallet of the customer by it.');
    if (!isTold) throw new Problem('refund/conflict', 'It became owed while you asked: ask again.');
    const id = await this.credits.add(tx, { customerId, entryId: entry, amount, by });
    await this.ledger.post(tx, [
      compoundJournal({
        kind: 'conversion',
        source: `customer-credit:${id}`,
        occurredAt: this.now(),
        movements: [
          { debit: refundsDue('USDC'), credit: conversion('USDC'), amount },
          { debit: conversion('USD'), credit: customerCredit(customerId), amount },
        ],
      }),
    ]);
    return this.credits.balance(customerId, tx);
  }

  /** Whether `creditRefund` would have something to credit. 404 `customer/not-found`. */
  async canCreditRefund(customer: string, entry: string): Promise<boolean> {
    const { id: customerId } = await this.customers.find('customer', customer);
    return (await owedBack(this.sql, { customerId, entry })) !== null;
  }

  async #pay(
    tx: Sql,
    { transfer, invoice, amount }: { transfer: string; invoice: string; amount: bigint },
  ): Promise<PaidByTransfer> {
    const match = deriveId(`match:${invoice}/${transfer}/0`);
    const at = this.now();
    await tx.query({
      text: `insert into billing.match (id, invoice_id, transfer_id, asset, amount, state, final_at, rule, matched_at)
        values ($1, $2, $3, 'USDC', $4, 'final', $5, 'invoice-amount', $5)`,
      values: [match, invoice, transfer, amount.toString(), at],
    });
    await this.ledger.post(tx, [
      journalOf({
        kind: 'conversion',
        source: `conversion:${match}`,
        occurredAt: at,
        debit: unidentifiedReceipts('USDC'),
        credit: conversion('USDC'),
        amount,
      }),
    ]);
    await this.invoices.applyPayment(tx, { invoice, amount, debit: conversion('USD'), source: `match:${match}` });
    return { match, invoice, transfer };
  }
}

/**
 * What an entry says is owed in USDC to a wallet of the customer's, in atomic units; null where nothing is any more.
 */
async function owedBack(
  sql: Sql,
  { customerId, entry }: { readonly customerId: string; readonly entry: string },
): Promise<bigint | null> {
  const [owed] = await sql.query<{ amount: string }>({
    text: `select p.amount::text as amount
      from billing.payment p join billing.customer_wallet w on w.address = p.payer and w.customer_id = $2
      where p.entry_id = $1 and p.outcome = 'refund-due' and ${codeSql('p.asset')} = 'USDC'
        and coalesce((select l.outcome from billing.payment l where l.call_id = p.entry_id
          order by l.place desc limit 1), '') <> 'reversed'
        and not exists (
          select 1 from billing.match m where m.entry_id = p.entry_id and m.rule = 'refund' and m.state <> 'undone')
        and not exists (select 1 from billing.customer_credit c where c.entry_id = p.entry_id)`,
    values: [entry, customerId],
  });
  return owed === undefined ? null : BigInt(owed.amount);
}
