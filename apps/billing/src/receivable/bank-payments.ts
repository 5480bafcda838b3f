import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { deriveId } from '../derive-id.js';
import { clock } from '../tokens.js';
import type { StatementLine } from './read-statement.js';

/** A payment of a bank statement, and how much of it is matched. Amounts in micro-dollars. */
export interface BankPayment {
  readonly id: string;
  readonly bankAccountId: string;
  /** `YYYY-MM-DD`. */
  readonly bookedOn: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly payer: string;
  readonly reference: string;
  readonly importedBy: string;
  readonly importedAt: Date;
  readonly matched: bigint;
}

/** `open`: money came in, and some of it is not matched. `matched`: all of it is. `out`: it went out, or is nothing. */
export const paymentStates = ['open', 'matched', 'out'] as const;
export type PaymentState = (typeof paymentStates)[number];

/** That a payment pays an invoice, and of an undone one who says that it does not. */
export interface PaymentMatch {
  readonly id: string;
  readonly invoiceId: string;
  readonly number: string;
  readonly amount: bigint;
  readonly state: 'final' | 'undone';
  readonly rule: string;
  readonly matchedBy: string | null;
  readonly matchedAt: Date;
  readonly undoneBy: string | null;
  readonly undoneAt: Date | null;
  readonly why: string | null;
}

/** A line of a statement under the id that it has in the books. */
export interface NewPayment extends StatementLine {
  readonly id: string;
}

type Row = Omit<BankPayment, 'amount' | 'matched'> & { readonly amount: string; readonly matched: string };

const matchedSql = `coalesce((
  select sum(m.amount) from billing.match m where m.bank_payment_id = p.id and m.state <> 'undone'), 0)
  + coalesce((select sum(c.amount) from billing.customer_credit c where c.bank_payment_id = p.id), 0)`;
const payments = `
  select p.id, p.bank_account_id as "bankAccountId", p.booked_on::text as "bookedOn", p.amount::text as amount,
    p.currency, p.payer, p.reference, p.imported_by as "importedBy", p.imported_at as "importedAt", (${matchedSql})::text as matched
  from billing.bank_payment p`;
const states: Readonly<Record<PaymentState, string>> = {
  open: `p.amount > 0 and p.amount > (${matchedSql})`,
  matched: `p.amount > 0 and p.amount = (${matchedSql})`,
  out: 'p.amount <= 0',
};
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The payments of bank statements. */
@Injectable()
export class BankPayments {
  constructor(
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Those lines of a statement that no statement before it had. Of equal lines as many are known as one file had. */
  async unknown(sql: Sql, bankAccountId: string, lines: readonly StatementLine[]): Promise<readonly NewPayment[]> {
    const named = lines.map((line) => ({ ...line, id: idOf(bankAccountId, line) }));
    const rows = await sql.query<{ id: string }>({
      text: 'select id from billing.bank_payment where id = any($1::uuid[])',
      values: [named.map(({ id }) => id)],
    });
    const known = new Set(rows.map(({ id }) => id));
    return named.filter(({ id }) => !known.has(id));
  }

  async add(
    tx: Sql,
    lines: readonly NewPayment[],
    { bankAccountId, currency, by }: { readonly bankAccountId: string; readonly currency: string; readonly by: string },
  ): Promise<void> {
    await tx.query({
      text: `insert into billing.bank_payment (id, bank_account_id, currency, imported_by, imported_at, booked_on, amount,
          payer, reference, digest, nth)
        select id, $1, $2, $3, $4, booked_on, amount, payer, reference, digest, nth
        from unnest($5::uuid[], $6::date[], $7::numeric[], $8::text[], $9::text[], $10::bytea[], $11::int[])
          as given (id, booked_on, amount, payer, reference, digest, nth)`,
      values: [
        bankAccountId,
        currency,
        by,
        this.now(),
        lines.map(({ id }) => id),
        lines.map(({ bookedOn }) => bookedOn),
        lines.map(({ amount }) => amount.toString()),
        lines.map(({ payer }) => payer),
        lines.map(({ reference }) => reference),
        lines.map(({ digest }) => digest),
        lines.map(({ nth }) => nth),
      ],
    });
  }

  /** By the day on which they were booked; one more than `limit`, where there are so many. */
  async list({
    state,
    bankAccountId,
    after,
    limit,
  }: {
    readonly state: PaymentState | undefined;
    readonly bankAccountId: string | undefined;
    readonly after: readonly string[] | null;
    readonly limit: number;
  }): Promise<readonly BankPayment[]> {
    const [day = null, id = null] = after ?? [];
    const rows = await this.sql.query<Row>({
      text: `${payments}
        where ($1::date is null or (p.booked_on, p.id) > ($1::date, $2::uuid))
          and ($3::uuid is null or p.bank_account_id = $3) and ${state === undefined ? 'true' : states[state]}
        order by p.booked_on, p.id limit $4`,
      values: [day, id, bankAccountId ?? null, limit + 1],
    });
    return rows.map(paymentOf);
  }

  /** Those of these of which something is open, the oldest first. */
  async findOpen(sql: Sql, ids: readonly string[]): Promise<readonly BankPayment[]> {
    const rows = await sql.query<Row>({
      text: `${payments} where p.id = any($1::uuid[]) and ${states.open} order by p.booked_on, p.id`,
      values: [ids],
    });
    return rows.map(paymentOf);
  }

  /** The invoices that a payment pays, and those that it no longer does, the oldest first. */
  async matchesOf(id: string, sql: Sql = this.sql): Promise<readonly PaymentMatch[]> {
    const rows = await sql.query<Omit<PaymentMatch, 'amount'> & { readonly amount: string }>({
      text: `select m.id, m.invoice_id as "invoiceId", i.number, m.amount::text as amount, m.state, m.rule,
          m.matched_by as "matchedBy", m.matched_at as "matchedAt", m.undone_by as "undoneBy",
          m.undone_at as "undoneAt", m.why
        from billing.match m join billing.invoice i on i.id = m.invoice_id
        where m.bank_payment_id = $1 order by m.matched_at, m.id`,
      values: [id],
    });
    return rows.map(({ amount, ...row }) => Object.assign(row, { amount: BigInt(amount) }));
  }

  /** 404 `bank-payment/not-found`. */
  async find(id: string, sql: Sql = this.sql): Promise<BankPayment> {
    const rows = uuid.test(id) ? await sql.query<Row>({ text: `${payments} where p.id = $1`, values: [id] }) : [];
    const [row] = rows;
    if (row === undefined) throw new Problem('bank-payment/not-found');
    return paymentOf(row);
  }
}

function idOf(bankAccountId: string, { digest, nth }: Pick<StatementLine, 'digest' | 'nth'>): string {
  return deriveId(`bank-payment:${bankAccountId}/${digest.toString('hex')}/${nth}`);
}

function paymentOf({ amount, matched, ...row }: Row): BankPayment {
  return { ...row, amount: BigInt(amount), matched: BigInt(matched) };
}
