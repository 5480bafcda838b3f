import { createHash } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import { allocate, money, toCents } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import type { Clock, Period } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { billedCharges } from '../billed-charges.js';
import { BillingConfig } from '../config.js';
import { InvoiceService } from '../invoice/invoice.service.js';
import type { Invoice } from '../invoice/invoice-row.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { clock } from '../tokens.js';
import { awaitBooks } from '../turns.js';
import { journalsOfInvoice } from './invoice-journals.js';
import { releaseDays } from './release.js';

interface Party {
  readonly id: string;
  readonly [name: string]: unknown;
}

interface Facts {
  readonly contractId: string;
  readonly seller: Party & { readonly series: string };
  readonly customer: Party & { readonly paymentDays: number; readonly taxCode: string | null };
}

/** The tax of an invoice; `points` are basis points. */
interface Tax {
  readonly code: string;
  readonly points: number;
  /** Whether the customer owes it. */
  readonly isReverse: boolean;
  readonly reason: string | null;
}

/** What an invoice would be when it became final now. */
export interface Assessed {
  readonly invoice: Invoice;
  readonly facts: Facts;
  readonly tax: Tax | null;
  readonly subtotalCents: bigint;
  readonly taxCents: bigint;
  readonly payableCents: bigint;
}

const dayMs = 86_400_000;

/** Makes drafts final: with a number, and with all that is said of them frozen. */
@Injectable()
export class Finalizing {
  constructor(
    private readonly config: BillingConfig,
    private readonly invoices: InvoiceService,
    private readonly ledger: LedgerService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * Draws the draft up again and looks whether it can become final, within the caller's transaction, which has the turn
   * for the books from here on. `by` is the operator who would do it. 409 `invoice/conflict` for what is no draft,
   * `invoice/nothing-due`, `invoice/not-over`, `invoice/no-contract`, `invoice/no-tax-rate`, `invoice/needs-approval`.
   */
  async assess(tx: Sql, id: string, by: string): Promise<Assessed> {
    await awaitBooks(tx);
    const found = (await this.invoices.find(id, tx)).invoice;
    if (found.state !== 'draft') throw new Problem('invoice/conflict', `The invoice is ${found.state}.`);
    const { after: invoice } = await this.invoices.drawUp(tx, found.account, found.periodStart);
    const { total, payableCents: subtotalCents, digest, approvedBy, approvedDigest } = invoice.invoice;
    // As it was drawn up now: a contract may have cut it.
    const period = { start: invoice.invoice.periodStart, end: invoice.invoice.periodEnd };
    // Credits may come to all that there is to pay.
    if (invoice.lines.every(({ amount }) => amount === 0n)) throw new Problem('invoice/nothing-due');
    await this.#requireOver(tx, found.account, period);
    const facts = await this.#facts(tx, found.account, period);
    const tax = await this.#tax(tx, facts.customer.taxCode, period);
    const isApproved = approvedDigest?.equals(digest) === true && approvedBy !== by;
    if (total > this.config.invoiceApprovalAbove && !isApproved) throw new Problem('invoice/needs-approval');
    // A cent is 10,000 micro-dollars, and the whole is 10,000 basis points.
    const taxCents = tax === null ? 0n : toCents(money('USD', subtotalCents * BigInt(tax.points)), 'halfEven');
    return { invoice, facts, tax, subtotalCents, taxCents, payableCents: subtotalCents + taxCents };
  }

  /** Makes the draft final, within the caller's transaction. Refusals as of `assess`. */
  async finalize(tx: Sql, id: string, by: string): Promise<Invoice> {
    const assessed = await this.assess(tx, id, by);
    const { account, periodStart: start } = assessed.invoice.invoice;
    const { fees, taken } = await this.invoices.parts(tx, account, start);
    await tx.query({
      text: `insert into billing.invoice_adjustment (invoice_id, line, adjustment_id, amount)
        select $1, * from unnest($2::int[], $3::uuid[], $4::numeric[])`,
      values: [
        id,
        taken.map(({ line }) => line),
        taken.map(({ adjustment }) => adjustment),
        taken.map(({ amount }) => amount.toString()),
      ],
    });
    await tx.query({
      text: `with ${billedCharges('$1', '$2')}
        insert into billing.invoice_late (invoice_id, entry_id)
        select $3, entry_id from billed where month = $2 and used_in <> month`,
      values: [account, start, id],
    });
    await this.#freeze(tx, assessed);
    const { lines } = assessed.invoice;
    const sum = (...kinds: readonly (typeof lines)[number]['kind'][]): bigint =>
      lines.filter(({ kind }) => kinds.includes(kind)).reduce((all, { amount }) => all + amount, 0n);
    const { customer } = assessed.facts;
    const booked = {
      id,
      account,
      customer: customer.id,
      usage: sum('included', 'overage'),
      plans: sum('plan', 'commit'),
      adjusted: sum('adjustment'),
      ahead: sum('prepaid'),
      at: this.now(),
    };
    const { taxCents, payableCents, tax } = assessed;
    await this.ledger.post(tx, journalsOfInvoice({ ...booked, taxCode: tax?.code ?? null, taxCents, payableCents }));
    for (const { line, slug, fromMs, toMs, amount } of fees) {
      if (amount === 0n) continue;
      const days = daysOf(fromMs, toMs);
      const parts = allocate(
        money('USD', amount),
        days.map(({ ms }) => BigInt(ms)),
      );
      await tx.query({
        text: `insert into billing.invoice_release (invoice_id, line, day, slug, amount)
          select $1, $2, day, $3, amount from unnest($4::date[], $5::numeric[]) as d (day, amount) where amount > 0`,
        values: [id, line, slug, days.map(({ day }) => day), parts.map(({ atomic }) => atomic.toString())],
      });
    }
    await this.#earnCommit(tx, assessed.invoice);
    await releaseDays(tx, this.ledger, { now: this.now(), invoice: id });
    return this.invoices.find(id, tx);
  }

  /** A commit is earned when its time is over: on the last day of the period in which the contract held. */
  async #earnCommit(tx: Sql, { invoice, lines }: Invoice): Promise<void> {
    const index = lines.findIndex(({ kind }) => kind === 'commit');
    if (index === -1) return;
    await tx.query({
      text: `insert into billing.invoice_release (invoice_id, line, day, amount)
        select $1, $2, ((least(c.ends_at, $3) - interval '1 microsecond') at time zone 'utc')::date, $4
        from billing.contract c
        where c.account = $5 and c.starts_at < $3 and coalesce(c.ends_at, 'infinity') > $6
        order by c.starts_at desc limit 1`,
      values: [
        invoice.id,
        index + 1,
        invoice.periodEnd,
        lines[index]?.amount.toString(),
        invoice.account,
        invoice.periodStart,
      ],
    });
  }

  async #freeze(tx: Sql, assessed: Assessed): Promise<void> {
    const { facts, tax, subtotalCents, taxCents, payableCents } = assessed;
    const { invoice, lines } = assessed.invoice;
    const { id, account, periodStart: start } = invoice;
    const { series } = facts.seller;
    const sequence = await nextNumber(tx, series);
    const number = `${series}-${sequence.toString().padStart(6, '0')}`;
    const now = this.now();
    const dueOn = new Date(now.getTime() + facts.customer.paymentDays * dayMs).toISOString().slice(0, 10);
    const entries = await readEntries(tx, account, start);
    const document = canonicalJson({
      id,
      number,
      account,
      accountName: invoice.accountName,
      attempt: invoice.attempt,
      periodStart: start.toISOString(),
      periodEnd: invoice.periodEnd.toISOString(),
      ...(invoice.timeZone !== 'UTC' && { timeZone: invoice.timeZone }),
      issuedAt: now.toISOString(),
      dueOn,
      contract: facts.contractId,
      seller: facts.seller as never,
      customer: facts.customer as never,
      currency: 'USD',
      lines: lines.map(({ kind, description, sku, quantity, unitPrice, amount }) => ({
        kind,
        description,
        sku,
        quantity: quantity.toString(),
        unitPrice: unitPrice.toString(),
        amount: amount.toString(),
      })),
      total: invoice.total.toString(),
      subtotalCents: subtotalCents.toString(),
      tax:
        tax === null
          ? null
          : { code: tax.code, basisPoints: tax.points, reverseCharge: tax.isReverse, reason: tax.reason },
      taxCents: taxCents.toString(),
      payableCents: payableCents.toString(),
      entries: {
        count: entries.count,
        firstPlace: entries.first,
        lastPlace: entries.last,
        upToPlace: entries.upTo,
        digest: entries.digest.toString('hex'),
      },
    });
    await tx.query({
      text: `update billing.invoice set state = case when $13 = 0 then 'paid' else 'final' end, number = $2, series = $3, sequence = $4, contract_id = $5,
          customer_id = $6, seller = $7, customer = $8, issued_at = $9, due_on = $10, subtotal_cents = $11,
          tax_cents = $12, payable_cents = $13, tax_code = $14, tax_points = $15, tax_reason = $16, up_to_place = $17,
          first_place = $18, last_place = $19, entries_digest = $20, document = $21, digest = $22, updated_at = $9
        where id = $1`,
      values: [
        id,
        number,
        series,
        sequence.toString(),
        facts.contractId,
        facts.customer.id,
        JSON.stringify(facts.seller),
        JSON.stringify(facts.customer),
        now,
        dueOn,
        subtotalCents.toString(),
        taxCents.toString(),
        payableCents.toString(),
        tax?.code ?? null,
        tax?.points ?? null,
        tax?.reason ?? null,
        entries.upTo,
        entries.first,
        entries.last,
        entries.digest,
        document,
        createHash('sha256').update(document).digest(),
      ],
    });
  }

  async #requireOver(tx: Sql, account: string, { end }: Period): Promise<void> {
    const [row] = await tx.query<{ ends_at: Date | null; read_to: Date | null }>({
      text: `select (
          select ends_at from billing.terms where account = $1
          order by revision desc, effective_at desc, place desc limit 1) as ends_at,
        (select complete_as_of from billing.feed_cursor where feed = 'api') as read_to`,
      values: [account],
    });
    const over = Math.min(end.getTime(), row?.ends_at?.getTime() ?? Infinity);
    const readTo = row?.read_to?.getTime() ?? 0;
    if (this.now().getTime() < over || readTo < over) throw new Problem('invoice/not-over');
  }

  /** The contract that holds last in the period, and its parties as they are now. */
  async #facts(tx: Sql, account: string, { start, end }: Period): Promise<Facts> {
    const [row] = await tx.query<{ contract: string; seller: Facts['seller']; customer: Facts['customer'] }>({
      text: `select c.id as contract,
          json_build_object('id', s.id, 'legalName', s.legal_name, 'address', s.address, 'country', s.country, 'taxId', s.tax_id,
            'payTo', s.pay_to, 'series', s.series) as seller,
          json_build_object('id', k.id, 'legalName', k.legal_name, 'address', k.address, 'country', k.country, 'taxId', k.tax_id,
            'contacts', k.contacts, 'language', k.language, 'reportingCurrency', k.reporting_currency,
            'paymentDays', k.payment_days, 'taxCode', k.tax_code) as customer
        from billing.contract c
        join billing.seller s on s.id = c.seller_id
        join billing.customer k on k.id = c.customer_id
        where c.account = $1 and c.starts_at < $3 and coalesce(c.ends_at, 'infinity') > $2
        order by c.starts_at desc limit 1`,
      values: [account, start, end],
    });
    if (row === undefined) throw new Problem('invoice/no-contract');
    return { contractId: row.contract, seller: row.seller, customer: row.customer };
  }

  async #tax(tx: Sql, code: string | null, { end }: Period): Promise<Tax | null> {
    if (code === null) return null;
    const [row] = await tx.query<{ basis_points: number; reverse_charge: boolean; reason: string | null }>({
      text: `select basis_points, reverse_charge, reason from billing.tax_rate where code = $1 and valid_from < $2
        order by valid_from desc limit 1`,
      values: [code, end],
    });
    if (row === undefined) throw new Problem('invoice/no-tax-rate', `The code is ${code}.`);
    return { code, points: row.basis_points, isReverse: row.reverse_charge, reason: row.reason };
  }
}

/** The next number of a series. Its row is locked until the caller's transaction ends: no two, and no gap. */
export async function nextNumber(tx: Sql, series: string): Promise<bigint> {
  const [row] = await tx.query<{ last: string }>({
    text: `insert into billing.number_series as n (series, last) values ($1, 1)
      on conflict (series) do update set last = n.last + 1 returning last`,
    values: [series],
  });
  if (row === undefined) throw new TypeError('the statement answered no row');
  return BigInt(row.last);
}

interface Entries {
  readonly count: string;
  readonly first: string | null;
  readonly last: string | null;
  readonly upTo: string;
  readonly digest: Buffer;
}

/** The exact entries of the invoice of an account's period. */
async function readEntries(tx: Sql, account: string, start: Date): Promise<Entries> {
  const [row] = await tx.query<Entries>({
    text: `with ${billedCharges('$1', '$2')}
      select count(*)::text as count, min(place)::text as first, max(place)::text as last,
        (select place::text from billing.feed_cursor where feed = 'api') as "upTo",
        sha256(convert_to(coalesce(string_agg(entry_id::text, ',' order by place), ''), 'UTF8')) as digest
      from billed where month = $2`,
    values: [account, start],
  });
  if (row === undefined) throw new TypeError('the statement answered no row');
  return row;
}

/** The UTC days that a time reaches into, and how much of each it has. */
function daysOf(fromMs: number, toMs: number): readonly { readonly day: string; readonly ms: number }[] {
  const days: { day: string; ms: number }[] = [];
  for (let at = fromMs; at < toMs; ) {
    const next = Math.min(toMs, Math.floor(at / dayMs) * dayMs + dayMs);
    days.push({ day: new Date(at).toISOString().slice(0, 10), ms: next - at });
    at = next;
  }
  return days;
}
