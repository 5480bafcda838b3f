import { randomUUID } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { clock } from '../tokens.js';
import { nextLevel } from './reminder-level.js';
import { type ReminderLanguage, reminderLanguageOf, writeReminder } from './reminder-text.js';

/** A letter about overdue invoices; amounts in micro-dollars. */
export interface Reminder {
  readonly id: string;
  readonly customerId: string;
  readonly customerName: string;
  readonly sellerId: string;
  readonly level: number;
  readonly language: ReminderLanguage;
  readonly total: bigint;
  readonly subject: string;
  readonly body: string;
  readonly madeBy: string;
  readonly madeAt: Date;
  readonly invoices: readonly RemindedInvoice[];
}

export interface RemindedInvoice {
  readonly id: string;
  readonly number: string;
  readonly level: number;
  /** `YYYY-MM-DD`. */
  readonly dueOn: string;
  readonly outstanding: bigint;
}

interface DueRow {
  readonly id: string;
  readonly number: string;
  readonly due_on: string;
  readonly days: number;
  readonly outstanding: string;
  readonly level: number;
  readonly days_since: number | null;
  readonly customer_id: string;
  readonly customer_name: string;
  readonly address: string;
  readonly language: string;
  readonly seller_id: string;
  readonly seller_name: string;
  readonly pay_to: string;
}

type Row = Omit<Reminder, 'total' | 'invoices'> & {
  readonly total: string;
  readonly invoices: readonly (Omit<RemindedInvoice, 'outstanding'> & { readonly outstanding: string })[];
};

const reminders = `
  select r.id, r.customer_id as "customerId", k.legal_name as "customerName", r.seller_id as "sellerId", r.level,
    r.language, r.total::text as total, r.subject, r.body, r.made_by as "madeBy", r.made_at as "madeAt", (
      select json_agg(json_build_object('id', i.id, 'number', i.number, 'level', v.level, 'dueOn', v.due_on,
        'outstanding', v.outstanding::text) order by v.due_on, i.number)
      from billing.reminder_invoice v join billing.invoice i on i.id = v.invoice_id where v.reminder_id = r.id) as invoices
  from billing.reminder r join billing.customer k on k.id = r.customer_id`;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Reminders of invoices that are overdue. They are written and kept; sending them is somebody else's. */
@Injectable()
export class Reminders {
  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * The letters that are due now: one to each customer from each seller, with all of the customer's invoices of which a
   * level has come. Nothing is written. `customer`: to this one alone.
   */
  async due(sql: Sql, { customer, by }: { readonly customer?: string; readonly by: string }): Promise<Reminder[]> {
    const levels = this.config.remindAfterDays;
    const rows = await sql.query<DueRow>({ text: dueInvoices, values: [this.now(), customer ?? null] });
    const letters = new Map<string, (DueRow & { readonly next: number })[]>();
    for (const row of rows) {
      const next = nextLevel({ daysOverdue: row.days, level: row.level, daysSince: row.days_since }, levels);
      if (next === null) continue;
      const key = `${row.customer_id}/${row.seller_id}`;
      letters.set(key, [...(letters.get(key) ?? []), { ...row, next }]);
    }
    return [...letters.values()].map((invoices) => this.#write(invoices, by));
  }

  /** Keeps a letter, within the transaction in which it was due. */
  async add(tx: Sql, letter: Reminder): Promise<void> {
    const { id, customerId, sellerId, level, language, total, subject, body, madeBy, madeAt, invoices } = letter;
    await tx.query({
      text: `insert into billing.reminder (id, customer_id, seller_id, level, language, total, subject, body, made_by,
          made_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      values: [id, customerId, sellerId, level, language, total.toString(), subject, body, madeBy, madeAt],
    });
    await tx.query({
      text: `insert into billing.reminder_invoice (reminder_id, invoice_id, level, due_on, outstanding)
        select $1, * from unnest($2::uuid[], $3::int[], $4::date[], $5::numeric[])`,
      values: [
        id,
        invoices.map((invoice) => invoice.id),
        invoices.map((invoice) => invoice.level),
        invoices.map(({ dueOn }) => dueOn),
        invoices.map(({ outstanding }) => outstanding.toString()),
      ],
    });
  }

  /** In the order in which they were written; one more than `limit`, where there are so many. */
  async list({
    customer,
    after,
    limit,
  }: {
    readonly customer: string | undefined;
    readonly after: readonly string[] | null;
    readonly limit: number;
  }): Promise<readonly Reminder[]> {
    const [madeAt = null, id = null] = after ?? [];
    const rows = await this.sql.query<Row>({
      text: `${reminders}
        where ($1::timestamptz is null or (r.made_at, r.id) > ($1, $2::uuid)) and ($3::uuid is null or r.customer_id = $3)
        order by r.made_at, r.id limit $4`,
      values: [madeAt, id, customer ?? null, limit + 1],
    });
    return rows.map(reminderOf);
  }

  /** 404 `reminder/not-found`. */
  async find(id: string): Promise<Reminder> {
    const rows = uuid.test(id) ? await this.sql.query<Row>({ text: `${reminders} where r.id = $1`, values: [id] }) : [];
    const [row] = rows;
    if (row === undefined) throw new Problem('reminder/not-found');
    return reminderOf(row);
  }

  #write(rows: readonly (DueRow & { readonly next: number })[], madeBy: string): Reminder {
    const [first] = rows;
    if (first === undefined) throw new RangeError('a letter is about an invoice');
    const madeAt = this.now();
    const level = Math.max(...rows.map(({ next }) => next));
    const language = reminderLanguageOf(first.language);
    const invoices = rows.map((row): RemindedInvoice => {
      const { id, number, next, due_on: dueOn, outstanding } = row;
      return { id, number, level: next, dueOn, outstanding: BigInt(outstanding) };
    });
    const text = writeReminder({
      language,
      level,
      isLast: level === this.config.remindAfterDays.length,
      writtenOn: madeAt.toISOString().slice(0, 10),
      seller: { legalName: first.seller_name, payTo: first.pay_to },
      customer: { legalName: first.customer_name, address: first.address },
      invoices: invoices.map((invoice, index) => ({ ...invoice, daysOverdue: rows[index]?.days ?? 0 })),
    });
    return {
      id: randomUUID(),
      customerId: first.customer_id,
      customerName: first.customer_name,
      sellerId: first.seller_id,
      level,
      language,
      total: invoices.reduce((sum, { outstanding }) => sum + outstanding, 0n),
      ...text,
      madeBy,
      madeAt,
      invoices,
    };
  }
}

/** Days are those of UTC. */
const dueInvoices = `
  select i.id, i.number, i.due_on::text as due_on, ($1::timestamptz at time zone 'utc')::date - i.due_on as days,
    (i.payable_cents * 10000 - i.paid - i.credited)::text as outstanding, coalesce(last.level, 0) as level,
    ($1::timestamptz at time zone 'utc')::date - (last.made_at at time zone 'utc')::date as days_since,
    k.id as customer_id, k.legal_name as customer_name, k.address, k.language,
    s.id as seller_id, s.legal_name as seller_name, s.pay_to
  from billing.invoice i
  join billing.customer k on k.id = i.customer_id
  join billing.seller s on s.id::text = i.seller ->> 'id'
  left join lateral (
    select v.level, r.made_at from billing.reminder_invoice v join billing.reminder r on r.id = v.reminder_id
    where v.invoice_id = i.id order by v.level desc limit 1) as last on true
  where i.state in ('final', 'partially_paid') and i.payable_cents * 10000 > i.paid + i.credited
    and i.due_on < ($1::timestamptz at time zone 'utc')::date and ($2::uuid is null or k.id = $2)
  order by k.created_at, k.id, s.id, i.due_on, i.number`;

function reminderOf({ total, invoices, ...row }: Row): Reminder {
  return {
    ...row,
    total: BigInt(total),
    invoices: invoices.map(({ outstanding, ...invoice }) => ({ ...invoice, outstanding: BigInt(outstanding) })),
  };
}
