import type { SqlPool } from '@keyfare/db/sql';
import { type BooksSize, customerId, fillLargeBooks, uuidOf } from '../billing/large-books.js';

/** Fills both schemas: the books, and the plan, the accounts and their keys as the API has them. */
export async function fillYear(sql: SqlPool, size: BooksSize): Promise<void> {
  const each = `from generate_series(0, ${String(size.accounts - 1)}) as n`;
  const texts = [
    `insert into keyfare.plan (id, slug, version, included_units, overage, overage_price, overage_is_priced,
        monthly_price, created_at)
      values ('plan_bench', 'bench', 1, 50, 'invoice', 250, true, 10000000, now() - interval '1 year')`,
    `insert into keyfare.account (id, name, plan_id, created_at, effective_at, revision)
      select 'acct_' || n, 'Bench ' || n || ', Inc.', 'plan_bench', now() - interval '1 year' + n * interval '1 second',
        now() - interval '1 year', 1 ${each}`,
    `insert into keyfare.api_key (id, account_id, environment, name, created_at)
      select 'key_' || n, 'acct_' || n, 'live', 'bench', now() - interval '1 year' ${each}`,
    `insert into billing.seller (id, legal_name, address, pay_to, series, created_at)
      values (${uuidOf(`'seller'`)}, 'Seller, Inc.', 'Street 1', 'IBAN', 'S', now())`,
    `insert into billing.contract (id, customer_id, seller_id, account, starts_at, created_at)
      select ${uuidOf(`'contract' || n`)}, ${customerId}, ${uuidOf(`'seller'`)}, 'acct_' || n,
        date_trunc('month', now(), 'UTC') - interval '11 months', now() ${each}`,
  ];
  // The customers come with the books.
  await fillLargeBooks(sql, size);
  for (const text of texts) await sql.query({ text });
  await sql.query({ text: 'vacuum analyze' });
}
