import { findNetwork } from '@keyfare/core/x402';
import type { SqlPool } from '@keyfare/db/sql';
import { payTo } from './log.js';

const base = findNetwork('base-sepolia');
const network = base?.caip2 ?? '';
const asset = base?.usdc.address.toLowerCase() ?? '';
const watch = `${network}/${asset}/${payTo}`;
const accounts = {
  cash: `usdc:${network}:${payTo}`,
  receivable: `x402-receivable:${network}`,
  dust: `dust:${network}`,
};

/**
 * Lets the chain have moved every payment that is in the books, and dust beside them, which anybody may send: `count`
 * transfers in all, stored, matched and booked by plain inserts as billing leaves them once they are final.
 */
export async function fillTransfers(sql: SqlPool, count: number): Promise<void> {
  for (const text of statements(count)) await sql.query({ text });
}

/** The breaks that a run found, by class, but for the chain's that is not there. */
export async function expectNoBreaks(sql: SqlPool): Promise<void> {
  const found = await sql.query<{ class: string; count: string }>({
    text: `select class, count(*)::text as count from billing.break
      where present and class not in ('chain-stalled', 'intake-stalled') group by class`,
  });
  if (found.length > 0) throw new Error(`honest books have breaks: ${JSON.stringify(found)}`);
}

const statements = (count: number): readonly string[] => [
  `create unlogged table bench_transfer as
    with paid as (
      select entry_id, payer, nonce, amount, transaction, issued_at + interval '2 seconds' as at
      from billing.payment where outcome = 'settled'),
    dust as (
      select null::uuid, '0x' || left(md5('d' || n) || md5('e' || n), 40), null, 1, '0x' || md5('f' || n) || md5('g' || n),
        now() - interval '1 minute'
      from generate_series(1, ${String(count)} - (select count(*) from paid)) as n)
    select row_number() over () as nth, gen_random_uuid() as id, gen_random_uuid() as journal, each.*
    from (select * from paid union all select * from dust) as each`,
  `insert into billing.chain_cursor (watch, network, asset, pay_to, start_block, opening_balance, block_number, block_hash,
      block_time, head_number, finalized_number, complete_as_of)
    values ('${watch}', '${network}', '${asset}', '${payTo}', 0, 0, 10000000, '0xb', now(), 10000000, 10000000, now())
    on conflict (watch) do update set opening_balance = 0, block_number = 10000000, block_hash = '0xb', block_time = now(),
      head_number = 10000000, finalized_number = 10000000, complete_as_of = now()`,
  `insert into billing.chain_transfer (id, watch, network, asset, pay_to, from_address, to_address, value, authorizer, nonce,
      block_number, block_hash, block_time, transaction, log_index, sender, dust, seen_at)
    select id, '${watch}', '${network}', '${asset}', '${payTo}', payer, '${payTo}', amount,
      case when entry_id is not null then payer end, nonce, nth, '0x' || md5('b' || nth), at, transaction, 0, payer,
      entry_id is null, at
    from bench_transfer`,
  `insert into billing.match (id, entry_id, transfer_id, asset, amount, state, rule, matched_at, final_at)
    select gen_random_uuid(), entry_id, id, 'USDC', amount, 'final', 'authorization', at, at
    from bench_transfer where entry_id is not null`,
  'truncate billing.open_payment',
  `insert into billing.ledger_account (code, asset, type)
    values ('${accounts.cash}', 'USDC', 'asset'), ('${accounts.receivable}', 'USDC', 'asset'),
      ('${accounts.dust}', 'USDC', 'liability')
    on conflict do nothing`,
  // All at once, and not together by one statement: the sums are kept all the same.
  'alter table billing.journal disable trigger journal_complete',
  'alter table billing.movement disable trigger movement_checked',
  `insert into billing.journal (id, kind, source, occurred_at, effective_at, movements, digest)
    select journal, case when entry_id is null then 'dust' else 'settlement' end, 'transfer:' || id, at, at, 1,
      sha256(id::text::bytea)
    from bench_transfer`,
  `insert into billing.movement (journal_id, line, debit, credit, asset, amount, effective_at)
    select journal, 0, '${accounts.cash}', case when entry_id is null then '${accounts.dust}' else '${accounts.receivable}' end,
      'USDC', amount, at
    from bench_transfer`,
  'alter table billing.movement enable trigger movement_checked',
  'alter table billing.journal enable trigger journal_complete',
  'drop table bench_transfer',
  'analyze',
];
