import { Problem } from '@keyfare/core/problem';
import type { Clock, Period } from '@keyfare/core/time';
import { isRetryable, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { deriveId } from '../derive-id.js';
import { clock, reportPool } from '../tokens.js';
import { draftInvoice, type InvoiceDraft, type InvoicedCalls, type InvoicedTerms } from './draft.js';
import { type DueDraft, readDueDrafts } from './due.js';
import { InvoiceEntity } from './invoice.entity.js';
import { InvoiceLineEntity } from './invoice-line.entity.js';

/** An invoice with its lines. */
export interface Invoice {
  readonly invoice: InvoiceEntity;
  readonly lines: readonly InvoiceLineEntity[];
}

export interface InvoiceQuery {
  readonly account?: string | undefined;
  readonly periodStart?: Date | undefined;
  readonly limit: number;
  readonly offset: number;
}

interface Counted {
  readonly receipts: string;
  readonly first_entry: string | null;
  readonly last_entry: string | null;
}

/** Draws up invoices from the charges and the price book. */
@Injectable()
export class InvoiceService {
  constructor(
    @Inject(reportPool) private readonly sql: SqlPool,
    private readonly dataSource: DataSource,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * Draws up the draft of an account's month, or draws it up again; the same charges give the same draft. 404
   * `account/not-found` for an account of which no terms are known, 404 `invoice/not-found` for a month before its terms,
   * 400 `request/invalid` for a month that has not begun.
   */
  async draft(account: string, period: Period): Promise<Invoice> {
    if (period.start > this.now()) throw new Problem('request/invalid', 'The month has not begun.');
    for (;;) {
      try {
        const id = await this.sql.transaction((tx) => this.#draft(tx, account, period));
        return await this.find(id);
      } catch (error) {
        if (!isRetryable(error)) throw error;
      }
    }
  }

  /** The account's months that are over and whose drafts are to be drawn up, see `dueDrafts`. */
  async due(): Promise<readonly DueDraft[]> {
    return readDueDrafts(this.sql, this.now());
  }

  /** 404 `invoice/not-found`. */
  async find(id: string): Promise<Invoice> {
    const { manager } = this.dataSource;
    const invoice = await manager.findOneBy(InvoiceEntity, { id });
    if (invoice === null) throw new Problem('invoice/not-found');
    return {
      invoice,
      lines: await manager.find(InvoiceLineEntity, { where: { invoiceId: id }, order: { line: 'ASC' } }),
    };
  }

  /** The newest month first. */
  async list({ account, periodStart, limit, offset }: InvoiceQuery): Promise<readonly InvoiceEntity[]> {
    return this.dataSource.manager.find(InvoiceEntity, {
      where: { ...(account !== undefined && { account }), ...(periodStart !== undefined && { periodStart }) },
      order: { periodStart: 'DESC', account: 'ASC' },
      take: limit,
      skip: offset,
    });
  }

  async #draft(tx: Sql, account: string, period: Period): Promise<string> {
    await tx.query({ text: 'set transaction isolation level repeatable read' });
    const id = deriveId(`invoice:${account}:${period.start.toISOString()}`);
    const terms = await this.#terms(tx, account);
    if (terms.length === 0) throw new Problem('account/not-found', 'No terms of this account are known.');
    const draft = draftInvoice({ account, period, terms, ...(await this.#calls(tx, account, period)) });
    if (draft === null) throw new Problem('invoice/not-found', 'No terms of the account apply to this month.');
    const changed = await this.#store(tx, id, draft);
    if (changed) await this.#storeLines(tx, id, draft);
    return id;
  }

  async #terms(tx: Sql, account: string): Promise<readonly InvoicedTerms[]> {
    const rows = await tx.query<{
      account_name: string;
      plan_slug: string;
      plan_version: string;
      monthly_price: string;
      effective_at: Date;
    }>({
      text: `select account_name, plan_slug, plan_version, monthly_price, effective_at from billing.price_book
        where account = $1 order by effective_at, tx, position`,
      values: [account],
    });
    return rows.map((row) => ({
      accountName: row.account_name,
      planSlug: row.plan_slug,
      planVersion: BigInt(row.plan_version),
      monthlyPrice: BigInt(row.monthly_price),
      effectiveAt: row.effective_at,
    }));
  }

  async #calls(
    tx: Sql,
    account: string,
    { start }: Period,
  ): Promise<{
    calls: readonly InvoicedCalls[];
    receipts: bigint;
    firstEntry: string | null;
    lastEntry: string | null;
  }> {
    const rows = await tx.query<{ sku: string; unit_price: string; included: string; overage: string }>({
      text: `select sku, unit_price, sum(included)::text as included, sum(overage)::text as overage
        from billing.charge where rail = 'key' and account = $1 and period_start = $2 group by sku, unit_price`,
      values: [account, start],
    });
    const [counted] = await tx.query<Counted>({
      text: `with covered as (
          select entry_id, tx, position from billing.charge
          where rail = 'key' and account = $1 and period_start = $2)
        select (select count(*) from covered)::text as receipts,
          (select entry_id from covered order by tx, position limit 1) as first_entry,
          (select entry_id from covered order by tx desc, position desc limit 1) as last_entry`,
      values: [account, start],
    });
    return {
      calls: rows.map((row) => ({
        sku: row.sku,
        unitPrice: BigInt(row.unit_price),
        included: BigInt(row.included),
        overage: BigInt(row.overage),
      })),
      receipts: BigInt(counted?.receipts ?? 0),
      firstEntry: counted?.first_entry ?? null,
      lastEntry: counted?.last_entry ?? null,
    };
  }

  /** Whether there was anything to write: a draft that is the same stays as it is, and so does what is no draft. */
  async #store(tx: Sql, id: string, draft: InvoiceDraft): Promise<boolean> {
    const written = await tx.query({
      text: `insert into billing.invoice as i (id, state, account, account_name, period_start, period_end, total,
          payable_cents, receipts, first_entry, last_entry, terms, digest, created_at, updated_at)
        values ($1, 'draft', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
        on conflict (id) do update set account_name = excluded.account_name, total = excluded.total,
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
