import { createHash, randomUUID } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import { money, toCents } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { InvoiceService } from '../invoice/invoice.service.js';
import { type Invoice, outstandingOf } from '../invoice/invoice-row.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { clock } from '../tokens.js';
import { nextNumber } from './finalize.js';
import { journalsOfCreditNote } from './invoice-journals.js';
import { present, requirePrepaid, requireState } from './invoice-life.js';

/** How much of a line of an invoice is taken back, in micro-dollars. */
export interface CreditedLine {
  readonly line: number;
  readonly amount: bigint;
}

export interface CreditNote {
  readonly id: string;
  readonly invoiceId: string;
  readonly number: string;
  readonly reason: string;
  readonly amount: bigint;
  readonly subtotalCents: bigint;
  readonly taxCents: bigint;
  readonly totalCents: bigint;
  readonly toCredit: bigint;
  readonly digest: Buffer;
  readonly document: string;
  readonly issuedAt: Date;
}

interface Row {
  readonly id: string;
  readonly invoice_id: string;
  readonly number: string;
  readonly reason: string;
  readonly amount: string;
  readonly subtotal_cents: string;
  readonly tax_cents: string;
  readonly total_cents: string;
  readonly to_credit: string;
  readonly digest: Buffer;
  readonly document: string;
  readonly issued_at: Date;
}

const microsInCent = 10_000n;

/** What is taken back of final invoices. */
@Injectable()
export class CreditNotes {
  constructor(
    private readonly sql: SqlPool,
    private readonly invoices: InvoiceService,
    private readonly ledger: LedgerService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * Takes back these parts of lines, or with null all that earlier credit notes left, within the caller's transaction,
   * which has locked the invoice. 409 `invoice/conflict` for a state without credit notes, `credit-note/too-much`, 400
   * `request/invalid` for less than a cent.
   */
  async add(
    tx: Sql,
    { invoice, lines }: Invoice,
    { reason, credited }: { readonly reason: string; readonly credited: readonly CreditedLine[] | null },
  ): Promise<CreditNote> {
    requireState(invoice, ['final', 'partially_paid', 'paid']);
    const customer = present(invoice.customerId);
    const before = await this.#before(tx, invoice.id);
    const left = lines.map(({ amount }, index) => ({
      line: index + 1,
      amount: amount - (before.lines.get(index + 1) ?? 0n),
    }));
    const taken = (credited ?? left).filter(({ amount }) => amount !== 0n);
    for (const { line, amount } of taken) {
      if (credited !== null && amount > (left[line - 1]?.amount ?? 0n))
        throw new Problem('credit-note/too-much', `It is line ${line}.`);
    }
    const amount = sumOf(taken);
    // Lines that took from the invoice are taken back with all of it alone.
    if (amount > sumOf(left)) throw new Problem('credit-note/too-much');
    const rest = {
      subtotal: (invoice.subtotalCents ?? 0n) - before.subtotal,
      tax: (invoice.taxCents ?? 0n) - before.tax,
    };
    // The last one takes what rounding left: all of them together come to the invoice.
    const isLast = amount === sumOf(left);
    const subtotalCents = isLast ? rest.subtotal : least(toCents(money('USD', amount), 'halfEven'), rest.subtotal);
    const tax = toCents(money('USD', subtotalCents * BigInt(invoice.taxPoints ?? 0)), 'halfEven');
    const taxCents = isLast ? rest.tax : least(tax, rest.tax);
    const totalCents = subtotalCents + taxCents;
    if (rest.subtotal + rest.tax === 0n) throw new Problem('credit-note/too-much', 'All of it was taken back before.');
    if (totalCents === 0n) throw new Problem('request/invalid', 'The credit note would come to less than a cent.');
    const outstanding = outstandingOf(invoice);
    const total = totalCents * microsInCent;
    const toCredit = total > outstanding ? total - outstanding : 0n;
    const note = { id: randomUUID(), invoice, reason, taken, amount, subtotalCents, taxCents, totalCents, toCredit };
    await this.#store(tx, note);
    await tx.query({
      text: `update billing.invoice set credited = credited + $2::numeric, state = $3, updated_at = $4 where id = $1`,
      values: [
        invoice.id,
        (total - toCredit).toString(),
        outstanding - (total - toCredit) === 0n ? 'paid' : invoice.state,
        this.now(),
      ],
    });
    await this.ledger.post(
      tx,
      journalsOfCreditNote({
        id: note.id,
        account: invoice.account,
        customer,
        amount,
        ahead: sumOf(taken.filter(({ line }) => lines[line - 1]?.kind === 'prepaid')),
        taxCode: invoice.taxCode,
        taxCents,
        totalCents,
        toCredit,
        at: this.now(),
      }),
    );
    await requirePrepaid(tx, invoice.account, 'credit-note/too-much');
    const made = (await this.of(invoice.id, tx)).find(({ id }) => id === note.id);
    if (made === undefined) throw new TypeError('the credit note was not written');
    return made;
  }

  /** Those of an invoice, the oldest first. 404 `invoice/not-found`. */
  async of(invoice: string, sql: Sql = this.sql): Promise<readonly CreditNote[]> {
    await this.invoices.find(invoice, sql);
    const rows = await sql.query<Row>({
      text: 'select * from billing.credit_note where invoice_id = $1 order by sequence',
      values: [invoice],
    });
    return rows.map((row) => ({
      id: row.id,
      invoiceId: row.invoice_id,
      number: row.number,
      reason: row.reason,
      amount: BigInt(row.amount),
      subtotalCents: BigInt(row.subtotal_cents),
      taxCents: BigInt(row.tax_cents),
      totalCents: BigInt(row.total_cents),
      toCredit: BigInt(row.to_credit),
      digest: row.digest,
      document: row.document,
      issuedAt: row.issued_at,
    }));
  }

  async #before(
    tx: Sql,
    invoice: string,
  ): Promise<{ readonly lines: ReadonlyMap<number, bigint>; readonly subtotal: bigint; readonly tax: bigint }> {
    const notes = await this.of(invoice, tx);
    const rows = await tx.query<{ line: number; amount: string }>({
      text: `select l.line, sum(l.amount)::text as amount from billing.credit_note_line l
        join billing.credit_note n on n.id = l.credit_note_id where n.invoice_id = $1 group by l.line`,
      values: [invoice],
    });
    return {
      lines: new Map(rows.map(({ line, amount }) => [line, BigInt(amount)])),
      subtotal: notes.reduce((sum, { subtotalCents }) => sum + subtotalCents, 0n),
      tax: notes.reduce((sum, { taxCents }) => sum + taxCents, 0n),
    };
  }

  async #store(
    tx: Sql,
    note: Pick<CreditNote, 'id' | 'reason' | 'amount' | 'subtotalCents' | 'taxCents' | 'totalCents' | 'toCredit'> & {
      readonly invoice: Invoice['invoice'];
      readonly taken: readonly CreditedLine[];
    },
  ): Promise<void> {
    const { id, invoice, reason, taken, amount, subtotalCents, taxCents, totalCents, toCredit } = note;
    // No series of a seller has a slash in it.
    const series = `${invoice.series}/C`;
    const sequence = await nextNumber(tx, series);
    const number = `${series}-${sequence.toString().padStart(6, '0')}`;
    const now = this.now();
    const document = canonicalJson({
      id,
      number,
      invoice: invoice.id,
      invoiceNumber: invoice.number,
      reason,
      issuedAt: now.toISOString(),
      seller: invoice.seller as never,
      customer: invoice.customer as never,
      currency: 'USD',
      lines: taken.map(({ line, amount: micros }) => ({ line, amount: micros.toString() })),
      amount: amount.toString(),
      subtotalCents: subtotalCents.toString(),
      taxCents: taxCents.toString(),
      totalCents: totalCents.toString(),
    });
    await tx.query({
      text: `insert into billing.credit_note (id, invoice_id, number, series, sequence, reason, amount, subtotal_cents,
          tax_cents, total_cents, to_credit, digest, document, issued_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
      values: [
        id,
        invoice.id,
        number,
        series,
        sequence.toString(),
        reason,
        amount.toString(),
        subtotalCents.toString(),
        taxCents.toString(),
        totalCents.toString(),
        toCredit.toString(),
        createHash('sha256').update(document).digest(),
        document,
        now,
      ],
    });
    await tx.query({
      text: `insert into billing.credit_note_line (credit_note_id, line, amount)
        select $1, * from unnest($2::int[], $3::numeric[])`,
      values: [id, taken.map(({ line }) => line), taken.map(({ amount: micros }) => micros.toString())],
    });
  }
}

function sumOf(lines: readonly CreditedLine[]): bigint {
  return lines.reduce((sum, { amount }) => sum + amount, 0n);
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
