import { Problem } from '@keyfare/core/problem';
import type { Clock, Period } from '@keyfare/core/time';
import { isRetryable, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { deriveId } from '../derive-id.js';
import { clock, reportPool } from '../tokens.js';
import { draftInvoice, type InvoiceDraft } from './draft.js';
import { type DueDraft, readDueDrafts } from './due.js';
import { InvoiceEntity } from './invoice.entity.js';
import { InvoiceLineEntity } from './invoice-line.entity.js';
import { readCalls, readTerms } from './read-month.js';

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
    const terms = await readTerms(tx, account);
    if (terms.length === 0) throw new Problem('account/not-found', 'No terms of this account are known.');
    const draft = draftInvoice({ account, period, terms, ...(await readCalls(tx, account, period)) });
    if (draft === null) throw new Problem('invoice/not-found', 'No terms of the account apply to this month.');
    const changed = await this.#store(tx, id, draft);
    if (changed) await this.#storeLines(tx, id, draft);
    return id;
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
