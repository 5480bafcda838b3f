import type { SqlPool } from '@keyfare/db/sql';

/** How large the books are. Each account has a customer, and an invoice for each month before the running one. */
export interface BooksSize {
  readonly calls: number;
  readonly accounts: number;
  /** With the running one. */
  readonly months: number;
  /** Breaks that are open; four times as many are resolved. */
  readonly cases: number;
}

/**
 * Fills empty books by plain inserts, as they are after so many calls in so many months: of ten calls seven by key of
 * one of the accounts, two paid by one of 20,000 wallets, one free. One call is one entry; six of the seven by key,
 * each payment and each transfer are a journal: as many as calls. What the database keeps by its triggers it keeps;
 * only those that look at each row by itself are off meanwhile.
 */
export async function fillLargeBooks(sql: SqlPool, size: BooksSize): Promise<void> {
  for (const text of statements(size)) await sql.query({ text });
  await sql.query({ text: 'vacuum analyze' });
}

const network = 'eip155:84532';
const usdc = '0x036cbd53842c5426634e7929541ec2318f3dcf7e';
const payTo = `0x${'a'.repeat(40)}`;
const settler = `0x${'b'.repeat(40)}`;
const wallet = `usdc:${network}:${payTo}`;
const receivable = `x402-receivable:${network}`;
/** UUIDs that say their version. */
export const uuidOf = (text: string): string =>
  `overlay(overlay(md5(${text}) placing '8' from 13 for 1) placing '8' from 17 for 1)::uuid`;
export const customerId = uuidOf(`'customer' || n`);
const invoiceId = uuidOf(`'invoice' || n || '/' || m`);
/** What looks at each row by itself: foreign keys and counts of movements. */
const perRow = [
  'alter table billing.journal disable trigger journal_complete',
  'alter table billing.movement disable trigger all',
  'alter table billing.movement enable trigger movement_balances',
];

function statements(size: BooksSize): readonly string[] {
  const { calls, accounts, months } = size;
  return [
    ...perRow,
    ...people(size),
    // Each call once: what the tables hold follows from it.
    `create unlogged table bench_call as
      with months as (
        select date_trunc('month', now(), 'UTC') - interval '${String(months - 1)} months' as start, now() - interval '1 minute' as upto)
      select g, ('0198' || lpad(to_hex(g), 8, '0') || '8' || substr(md5('c' || g), 1, 19))::uuid as id, at,
        date_trunc('month', at, 'UTC') as month, (array['forecast', 'history', 'alerts'])[(1 + g % 3)::int] as sku,
        1 + g % 3 as units, case when g % 10 < 7 then 'key' when g % 10 < 9 then 'x402' else 'free' end as rail,
        'acct_' || g / 7 % ${String(accounts)} as account, '0x' || md5('p' || g / 10 % 20000) || '00000000' as payer, '0x' || md5('n' || g) || md5('o' || g) as nonce
      from months, generate_series(1::bigint, ${String(calls)}) as g,
        lateral (select start + (upto - start) * (g / ${String(calls)}.0)) as t (at)`,
    `insert into billing.entry (place, id, kind, principal, digest, recorded_at, jws, usage_rail, usage_account,
        usage_payer, usage_sku, usage_units, usage_period_start, usage_occurred_at, ingested_at)
      select g, id, 'call', case rail when 'key' then account else payer end, sha256(id::text::bytea), at, 'a.b.c', rail,
        case rail when 'key' then account end, case when rail <> 'key' then payer end, sku, units, month, at, at
      from bench_call`,
    `insert into billing.charge (entry_id, rail, account, payer, sku, units, included, overage, unit_price, asset, amount,
        terms_id, period_start, occurred_at, place)
      select id, rail, case rail when 'key' then account end, case when rail <> 'key' then payer end, sku, units,
        case when rail = 'key' and g % 10 = 0 then units else 0 end,
        case when rail = 'key' and g % 10 > 0 then units else 0 end, case rail when 'key' then 250 end,
        case rail when 'x402' then 'USDC' else 'USD' end,
        case when rail = 'x402' then 1000 when rail = 'key' and g % 10 > 0 then 250 * units else 0 end,
        case rail when 'key' then md5(account)::uuid end, month, at, g
      from bench_call order by g`,
    ...money,
    ...documents(size),
    `insert into billing.feed_cursor (feed, place, log_as_of, complete_as_of) values ('api', 0, 1, now())
      on conflict (feed) do update set complete_as_of = excluded.complete_as_of`,
    'drop table bench_call',
    'alter table billing.journal enable trigger journal_complete',
    'alter table billing.movement enable trigger all',
  ];
}

const people = ({ accounts, months }: BooksSize): readonly string[] => [
  `insert into billing.terms (id, account, account_name, plan_id, plan_slug, plan_version, included_units, overage,
      overage_price, monthly_price, effective_at, revision, place)
    select md5('acct_' || n)::uuid, 'acct_' || n, 'Bench, Inc.', 'plan_bench', 'bench', 1, 50, 'invoice', 250, 10000000,
      date_trunc('month', now(), 'UTC') - interval '${String(months - 1)} months', 1, 0
    from generate_series(0, ${String(accounts - 1)}) as n`,
  `insert into billing.customer (id, legal_name, address, contacts, language, reporting_currency, payment_days, created_at)
    select ${customerId}, 'Bench ' || n || ', Inc.', 'Street ' || n, '[]', 'en', 'USD', 14, now()
    from generate_series(0, ${String(accounts - 1)}) as n`,
  `insert into billing.wallet (network, address, kind, label, since, added_at, applied)
    values ('${network}', '${settler}', 'settler', 'settler', now() - interval '1 year', now(), true)`,
  `insert into billing.ledger_account (code, asset, type)
    select 'unbilled-receivable:acct_' || n, 'USD', 'asset' from generate_series(0, ${String(accounts - 1)}) as n
    union all
    select 'revenue:' || rail || ':' || sku, case rail when 'key' then 'USD' else 'USDC' end, 'income'
    from unnest(array['key', 'x402']) as rail, unnest(array['forecast', 'history', 'alerts']) as sku
    union all
    values ('${wallet}', 'USDC', 'asset'), ('${receivable}', 'USDC', 'asset')
    on conflict do nothing`,
];

const money = [
  `insert into billing.payment (entry_id, outcome, network, asset, payer, nonce, pay_to, amount, transaction, sku,
      resource_url, issued_at, place)
    select id, 'settled', '${network}', '${usdc}', payer, nonce, '${payTo}', 1000, '0x' || md5('t' || g) || md5('t' || g),
      sku, 'https://api.bench.invalid/' || sku, at, g
    from bench_call where rail = 'x402'`,
  `insert into billing.chain_cursor (watch, network, asset, pay_to, start_block, opening_balance, block_number, block_hash,
      block_time, head_number, finalized_number, complete_as_of)
    values ('${network}/${usdc}/${payTo}', '${network}', '${usdc}', '${payTo}', 0, 0, 10000000, '0xb', now(), 10000000,
      10000000, now())`,
  `insert into billing.chain_transfer (id, watch, network, asset, pay_to, from_address, to_address, value, authorizer, nonce,
      block_number, block_hash, block_time, transaction, log_index, sender, transaction_fee, seen_at)
    select md5('t' || id)::uuid, '${network}/${usdc}/${payTo}', '${network}', '${usdc}', '${payTo}', payer, '${payTo}', 1000,
      payer, nonce, g, '0x' || md5('b' || g), at + interval '2 seconds', '0x' || md5('t' || g) || md5('t' || g), 0,
      '${settler}', 2000000000000, at + interval '4 seconds'
    from bench_call where rail = 'x402'`,
  `insert into billing.match (id, entry_id, transfer_id, asset, amount, state, rule, matched_at, final_at)
    select md5('m' || id)::uuid, id, md5('t' || id)::uuid, 'USDC', 1000, 'final', 'authorization', at, at
    from bench_call where rail = 'x402'`,
  'truncate billing.open_payment',
  `create unlogged table bench_journal as
    select md5('j' || id)::uuid as id, 'call' as kind, 'call:' || id as source, at,
      case rail when 'key' then 'unbilled-receivable:' || account else '${receivable}' end as debit,
      'revenue:' || rail || ':' || sku as credit, case rail when 'key' then 'USD' else 'USDC' end as asset,
      case rail when 'key' then 250 * units else 1000 end as amount
    from bench_call where rail = 'x402' or rail = 'key' and g % 10 > 0
    union all
    select md5('s' || id)::uuid, 'settlement', 'transfer:' || md5('t' || id)::uuid, at + interval '2 seconds', '${wallet}',
      '${receivable}', 'USDC', 1000
    from bench_call where rail = 'x402'`,
  `insert into billing.journal (id, kind, source, occurred_at, effective_at, booked_at, movements, digest)
    select id, kind, source, at, at, at, 1, sha256(id::text::bytea) from bench_journal order by at`,
  `insert into billing.movement (journal_id, line, debit, credit, asset, amount, effective_at)
    select id, 0, debit, credit, asset, amount, at from bench_journal order by at`,
  'drop table bench_journal',
];

const documents = ({ accounts, months, cases }: BooksSize): readonly string[] => [
  `insert into billing.invoice (id, number, state, account, account_name, period_start, period_end, total, payable_cents,
      receipts, terms, digest, created_at, updated_at, series, sequence, customer_id, issued_at, due_on, subtotal_cents,
      tax_cents, document)
    select ${invoiceId}, 'B-' || m || '-' || n, 'final', 'acct_' || n, 'Bench, Inc.', start,
      start + interval '1 month', 5000000, 500, 1, 1, '\\x00', start + interval '1 month', start + interval '1 month', 'B' || m,
      n + 1, ${customerId}, start + interval '1 month', (start + interval '45 days')::date, 500, 0, '{}'
    from generate_series(0, ${String(accounts - 1)}) as n, generate_series(1, ${String(months - 1)}) as m,
      lateral (select date_trunc('month', now(), 'UTC') - m * interval '1 month') as p (start)`,
  `insert into billing.break (id, class, keys, asset, amount, side, detail, status, resolution, resolved_by, resolved_at,
      history, first_seen, last_seen, present, run_id)
    select encode(sha256(('b' || n)::bytea), 'hex'), 'receipt-invalid', '{}', null, null, 'receipt', 'Bench.',
      case when n % 5 = 0 then 'open' else 'resolved' end, case when n % 5 > 0 then 'gone' end,
      case when n % 5 > 0 then 'system' end, case when n % 5 > 0 then now() end, '[]', now() - n * interval '1 minute',
      now(), n % 5 = 0, md5('run')::uuid
    from generate_series(1, ${String(cases * 5)}) as n`,
];

export const largeAccount = 'acct_large';

/** Adds an account with 100,000 calls in the month before the running one. */
export async function addLargeAccount(sql: SqlPool): Promise<void> {
  for (const text of largeStatements) await sql.query({ text });
}

const largeStatements = [
  `insert into billing.terms (id, account, account_name, plan_id, plan_slug, plan_version, included_units, overage,
      overage_price, monthly_price, effective_at, revision, place)
    values (md5('${largeAccount}')::uuid, '${largeAccount}', 'Large, Inc.', 'plan_bench', 'bench', 1, 50, 'invoice', 250,
      10000000, now() - interval '1 year', 1, 0)`,
  `insert into billing.charge (entry_id, rail, account, sku, units, included, overage, unit_price, asset, amount, terms_id,
      period_start, occurred_at, place)
    select md5('large' || n)::uuid, 'key', '${largeAccount}', (array['forecast', 'history', 'alerts'])[1 + n % 3], 1, 0, 1,
      250, 'USD', 250, md5('${largeAccount}')::uuid, month, month + n * interval '1 second', 100000000 + n
    from generate_series(1, 100000) as n, (select date_trunc('month', now(), 'UTC') - interval '1 month' as month) as m`,
];
