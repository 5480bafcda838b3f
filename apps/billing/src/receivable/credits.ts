import { randomUUID } from 'node:crypto';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { clock } from '../tokens.js';

/** What becomes credit of a customer, or what of it is applied; in micro-dollars. */
export interface CreditMove {
  readonly customerId: string;
  readonly bankPaymentId?: string;
  readonly invoiceId?: string;
  /** An entry `refund-due`: what it says is owed. */
  readonly entryId?: string;
  readonly amount: bigint;
  readonly by: string;
}

/** What customers have paid beyond what is to be paid. */
@Injectable()
export class Credits {
  constructor(
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** In micro-dollars: from bank payments, refunds and credit notes, less what was applied to invoices. */
  async balance(customerId: string, sql: Sql = this.sql): Promise<bigint> {
    const [row] = await sql.query<{ balance: string }>({
      text: `select (coalesce((
            select sum(case when invoice_id is null then amount else -amount end)
            from billing.customer_credit where customer_id = $1), 0)
          + coalesce((
            select sum(n.to_credit) from billing.credit_note n join billing.invoice i on i.id = n.invoice_id
            where i.customer_id = $1), 0))::text as balance`,
      values: [customerId],
    });
    return BigInt(row?.balance ?? 0);
  }

  /** Answers its id. */
  async add(tx: Sql, { customerId, bankPaymentId, invoiceId, entryId, amount, by }: CreditMove): Promise<string> {
    const id = randomUUID();
    await tx.query({
      text: `insert into billing.customer_credit (id, customer_id, bank_payment_id, invoice_id, amount, made_by, made_at,
          entry_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      values: [
        id,
        customerId,
        bankPaymentId ?? null,
        invoiceId ?? null,
        amount.toString(),
        by,
        this.now(),
        entryId ?? null,
      ],
    });
    return id;
  }
}
