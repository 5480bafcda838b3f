import { formatMoney, money } from '@keyfare/core/money';
import { z } from 'zod';
import { outstandingAt } from './outstanding.sql.js';
import type { Table } from './table.js';

const buckets = ['notDue', 'to30', 'to60', 'to90', 'over90', 'total'] as const;

/** What a customer owed at the end of a day, by how many days it was overdue. */
export const ageingRow = z.object({
  customer: z.string(),
  name: z.string(),
  asset: z.literal('USD'),
  notDue: z.string(),
  to30: z.string(),
  to60: z.string(),
  to90: z.string(),
  over90: z.string(),
  total: z.string(),
});

type Row = Readonly<Record<(typeof buckets)[number], string>> & {
  readonly customer: string;
  readonly name: string;
};

/** What customers owed at the end of the day `asOf`, which is `end`: overdue by 1 to 30 days, to 60, to 90, more. */
export function ageingTable(asOf: string, end: Date): Table<Row, z.infer<typeof ageingRow>> {
  return {
    name: `ageing-${asOf}`,
    columns: Object.keys(ageingRow.shape) as (keyof z.infer<typeof ageingRow>)[],
    amounts: buckets,
    statement: {
      text: `
        select o.customer_id as customer, k.legal_name as name,
          coalesce(sum(left_over) filter (where days <= 0), 0)::text as "notDue",
          coalesce(sum(left_over) filter (where days between 1 and 30), 0)::text as "to30",
          coalesce(sum(left_over) filter (where days between 31 and 60), 0)::text as "to60",
          coalesce(sum(left_over) filter (where days between 61 and 90), 0)::text as "to90",
          coalesce(sum(left_over) filter (where days > 90), 0)::text as "over90", sum(left_over)::text as total
        from (select customer_id, left_over, $2::date - due_on as days
          from (${outstandingAt('$1::timestamptz')}) as l) as o
        join billing.customer k on k.id = o.customer_id
        group by o.customer_id, k.legal_name`,
      values: [end, asOf],
    },
    order: [
      { column: 'name', kind: 'text' },
      { column: 'customer', kind: 'text' },
    ],
    view: ({ customer, name, ...amounts }) => ({
      customer,
      name,
      asset: 'USD',
      notDue: dollars(amounts.notDue),
      to30: dollars(amounts.to30),
      to60: dollars(amounts.to60),
      to90: dollars(amounts.to90),
      over90: dollars(amounts.over90),
      total: dollars(amounts.total),
    }),
  };
}

function dollars(amount: string): string {
  return formatMoney(money('USD', BigInt(amount)));
}
