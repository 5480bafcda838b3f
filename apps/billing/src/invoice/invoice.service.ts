import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { awaitTransactionLock } from '@keyfare/db/advisory-lock';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { type BillingPeriod, isOfMonth, readPeriod } from '../billing-periods.js';
import { deriveId } from '../derive-id.js';
import { clock, reportPool } from '../tokens.js';
import { draftInvoice, type InvoiceDraft, isIdle, type PlanFee, planFees, takenAdjustments } from './draft.js';
import { type DueDraft, readDueDrafts } from './due.js';
import type { InvoiceState } from './invoice.entity.js';
import {
  type Invoice,
  type InvoiceRow,
  type InvoiceSummary,
  invoiceColumns,
  invoiceOf,
  type LineRow,
  lineOf,
} from './invoice-row.js';
import { readMonth } from './read-month.js';

/** Which invoices, and where the list goes on. */
export interface InvoiceQuery {
  readonly account?: string | undefined;
  /** Of the month that begins here, by the days of each one's zone. */
  readonly month?: Date | undefined;
  readonly state?: InvoiceState | undefined;
  /** Those alone that are no drafts. */
  readonly isIssued?: boolean | undefined;
  /** After this one. */
  readonly after: { readonly periodStart: string; readonly account: string; readonly id: string } | null;
  readonly limit: number;
}

/** Money that was applied to an invoice. */
export interface InvoicePayment {
  readonly source: string;
  /** The ledger account that it came from. */
  readonly debit: string;
  /** Micro-dollars. */
  readonly amount: string;
  readonly appliedAt: Date;
  /** When it was taken back, by whom and why; null for one that stands. */
  readonly undoneAt: Date | null;
  readonly undoneBy: string | null;
  readonly why: string | null;
}

/** The plan fees on an invoice, and what it takes of adjustments. */
interface InvoiceParts {
  readonly fees: readonly PlanFee[];
  readonly taken: ReturnType<typeof takenAdjustments>;
}

interface InvoiceName {
  readonly id: string;
  readonly attempt: number;
}

// The first key of the locks of drafts; the second is made of the invoice's id.
const draftLocks = 0x6b66_6264;

/** Draws up invoices from the charges and the terms. */
@Injectable()
export class InvoiceService {
  constructor(
    private readonly sql: SqlPool,
    @Inject(reportPool) private readonly reportSql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * Draws up the draft of the period of an account that `at` lies in, or draws it up again; the same charges give the
   * same draft. 404 `account/not-found` for an account of which no terms are known, 404 `invoice/not-found` for a
   * period in which none of its terms hold or that is idle, 400 `request/invalid` for one that has not begun.
   */
  async draft(account: string, at: Date): Promise<Invoice> {
    return this.reportSql.transaction(async (tx) => (await this.drawUp(tx, account, at)).after);
  }

  /** As `draft`, within the caller's transaction; and the invoice as it was before, null where there was none. */
  async drawUp(
    tx: Sql,
    account: string,
    at: Date,
  ): Promise<{ readonly before: Invoice | null; readonly after: Invoice }> {
    const period = await readPeriod(tx, account, at);
    if (period.start > this.now()) throw new Problem('request/invalid', 'The period has not begun.');
    const { id, attempt } = await this.#name(tx, account, period);
    // Of two that draw up one invoice, the second reads after the first has written: an older draft never replaces it.
    await awaitTransactionLock(tx, { family: draftLocks, lock: Buffer.from(id.slice(0, 8), 'hex').readInt32BE() });
    const input = await readMonth(tx, account, period);
    if (input.terms.length === 0) throw new Problem('account/not-found', 'No terms of this account are known.');
    const draft = draftInvoice(input);
    if (draft === null) throw new Problem('invoice/not-found', 'No terms of the account apply to this period.');
    const before = await this.#read(tx, id);
    // A draft that had something on it says that it has nothing any more.
    if (before === null && isIdle(draft)) throw new Problem('invoice/not-found', 'There is nothing to invoice.');
    const changed = await this.#store(tx, { id, attempt }, draft);
    if (changed) await this.#storeLines(tx, id, draft);
    return { before, after: await this.find(id, tx) };
  }

  /** What the draft of the period that `at` lies in is made of, as the caller's transaction sees it. */
  async parts(tx: Sql, account: string, at: Date): Promise<InvoiceParts> {
    const input = await readMonth(tx, account, await readPeriod(tx, account, at));
    return { fees: planFees(input), taken: takenAdjustments(input) };
  }

  /** The accounts' periods whose drafts are to be drawn up, see `dueDrafts`. */
  async due(): Promise<readonly DueDraft[]> {
    return readDueDrafts(this.reportSql, this.now());
  }

  /** 404 `invoice/not-found`. */
  async find(id: string, sql: Sql = this.sql): Promise<Invoice> {
    const found = await this.#read(sql, id);
    if (found === null) throw new Problem('invoice/not-found');
    return found;
  }

  /** The newest period first; one more than `limit`, where there are so many. */
  async list(query: InvoiceQuery): Promise<readonly InvoiceSummary[]> {
    const { account, month, state, isIssued, after, limit } = query;
    const rows = await this.sql.query<InvoiceRow>({
      text: `select ${invoiceColumns} from billing.invoice i
        where ($1::text is null or account = $1) and ($2::timestamptz is null or ${isOfMonth('i', '$2')})
          and ($8::boolean is not true or state <> 'draft')
          and ($3::timestamptz is null or period_start < $3 or (period_start = $3 and (account, id) > ($4, $5::uuid)))
          and ($7::text is null or state = $7)
        order by period_start desc, account, id limit $6`,
      values: [
        account ?? null,
        month ?? null,
        after?.periodStart ?? null,
        after?.account ?? null,
        after?.id ?? null,
        limit + 1,
        state ?? null,
        isIssued ?? null,
      ],
    });
    return rows.map(invoiceOf);
  }

  /** What was applied to it, the oldest first. 404 `invoice/not-found`. */
  async payments(id: string): Promise<readonly InvoicePayment[]> {
    await this.find(id);
    return this.sql.query<InvoicePayment>({
      text: `select p.source, p.debit, p.amount::text as amount, p.applied_at as "appliedAt",
          u.undone_at as "undoneAt", u.undone_by as "undoneBy", u.why
        from billing.invoice_payment p left join billing.invoice_payment_undone u using (source, invoice_id)
        where invoice_id = $1 order by p.applied_at, source`,
      values: [id],
    });
  }

  /** The invoice of an account's period that is not void: each that is void gives the period another. */
  async #name(tx: Sql, account: string, period: BillingPeriod): Promise<InvoiceName> {
    const [row] = await tx.query<{ voided: number }>({
      text: `select count(*)::int as voided from billing.invoice
        where account = $1 and period_start = $2 and state = 'void'`,
      values: [account, period.start],
    });
    const attempt = (row?.voided ?? 0) + 1;
    const name = `invoice:${account}:${period.start.toISOString()}`;
    return { id: deriveId(attempt === 1 ? name : `${name}#${attempt}`), attempt };
  }

  /** The invoice and its lines: of one statement, for drafts are drawn up meanwhile. */
  async #read(sql: Sql, id: string): Promise<Invoice | null> {
    const [row] = await sql.query<InvoiceRow & { readonly lines: readonly LineRow[] }>({
      text: `select ${invoiceColumns}, coalesce((
          select json_agg(json_build_object('kind', kind, 'description', description, 'sku', sku,
            'quantity', quantity::text, 'unitPrice', unit_price::text, 'amount', amount::text) order by line)
          from billing.invoice_line where invoice_id = i.id), '[]') as lines
        from billing.invoice i where i.id = $1`,
      values: [id],
    });
    return row === undefined ? null : { invoice: invoiceOf(row), lines: row.lines.map(lineOf) };
  }

  /** Whether there was anything to write: a draft that is the same stays as it is, and so does what is no draft. */
  async #store(tx: Sql, { id, attempt }: InvoiceName, draft: InvoiceDraft): Promise<boolean> {
    const written = await tx.query({
      text: `insert into billing.invoice as i (id, state, account, account_name, period_start, period_end, total,
          payable_cents, receipts, first_entry, last_entry, terms, digest, created_at, updated_at, attempt, time_zone)
        values ($1, 'draft', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15)
        on conflict (id) do update set account_name = excluded.account_name,
          period_end = excluded.period_end, time_zone = excluded.time_zone, total = excluded.total,
          payable_cents = excluded.payable_cents, receipts = excluded.receipts, first_entry = excluded.first_entry,
          last_entry = excluded.last_entry, terms = excluded.terms, digest = excluded.digest, updated_at = excluded.updated_at
        where i.state = 'draft' and i.digest <> excluded.digest
        returning id`,
      values: [
        id,
        draft.account,
        draft.accountName,
        draft.period.start,
        draft.period.end,
        draft.total.toString(),
        draft.payableCents.toString(),
        draft.receipts.toString(),
        draft.firstEntry,
        draft.lastEntry,
        draft.terms.toString(),
        draft.digest,
        this.now(),
        attempt,
        draft.period.timeZone,
      ],
    });
    return written.length > 0;
  }

  async #storeLines(tx: Sql, id: string, { lines }: InvoiceDraft): Promise<void> {
    await tx.query({ text: 'delete from billing.invoice_line where invoice_id = $1', values: [id] });
    await tx.query({
      text: `insert into billing.invoice_line (invoice_id, line, kind, description, sku, quantity, unit_price, amount)
        select $1, * from unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::numeric[],
          $8::numeric[])`,
      values: [
        id,
        lines.map((_, index) => index + 1),
        lines.map(({ kind }) => kind),
        lines.map(({ description }) => description),
        lines.map(({ sku }) => sku),
        lines.map(({ quantity }) => quantity.toString()),
        lines.map(({ unitPrice }) => unitPrice.toString()),
        lines.map(({ amount }) => amount.toString()),
      ],
    });
  }
}
