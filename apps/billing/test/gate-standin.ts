import { SqlPool } from '@keyfare/db/sql';

/** The wide entry table with its places, folded leases and the order of terms, as far as the gate does not have them yet. */
export async function placeLog(url: string): Promise<void> {
  const sql = new SqlPool({ url, applicationName: 'test-standin', poolSize: 1 });
  const views = await sql.query<{ name: string }>({
    text: `select table_name as name from information_schema.views where table_schema = 'keyfare'`,
  });
  const has = new Set(views.map(({ name }) => name));
  const missing = [...(has.has('log_head') ? [] : log), ...(has.has('account_feed') ? [] : accounts)];
  for (const text of missing) await sql.query({ text });
  await sql.close();
}

const b64 = (bytes: string): string =>
  `rtrim(translate(replace(encode(${bytes}, 'base64'), E'\\n', ''), '+/', '-_'), '=')`;

const log = [
  'drop view keyfare.entry_feed',
  'drop table keyfare.entry, keyfare.receipt, keyfare.usage',
  `create table keyfare.entry (id uuid not null, kind text not null, principal text not null, rail text, account_id text,
    key_id text, sku text, units bigint, period_start timestamptz, occurred_at timestamptz, writer uuid, post bigint,
    kid text, payload bytea, signature bytea, digest bytea not null, recorded_at timestamptz not null default now(),
    constraint entry_pk primary key (id))`,
  'create table keyfare.unplaced (serial bigint generated always as identity primary key, ids uuid[] not null)',
  'create table keyfare.placed (first_place bigint not null, last_place bigint primary key, ids uuid[] not null)',
  `create table keyfare.sequencer (singleton boolean primary key default true, holder uuid, epoch bigint not null default 0,
    expires_at timestamptz, next_place bigint not null default 1, as_of timestamptz not null default now())`,
  'insert into keyfare.sequencer default values',
  `create view keyfare.entry_feed as
    select p.first_place + i.nth - 1 as place, p.last_place, e.id, e.kind, e.principal, e.digest, e.recorded_at,
      case when e.payload is null or e.signature is null then null else
        ${b64(`convert_to('{"alg":"EdDSA","kid":"' || e.kid || '","typ":"keyfare-' ||
          case e.kind when 'call' then 'receipt' else e.kind end || '+jws"}', 'UTF8')`)}
        || '.' || ${b64('e.payload')} || '.' || ${b64('e.signature')} end as jws,
      case when e.kind = 'call' then e.rail end as usage_rail, case when e.kind = 'call' then case e.rail when 'key' then e.principal else e.account_id end end as usage_account,
      case when e.kind = 'call' and e.rail = 'x402' then e.principal end as usage_payer,
      case when e.kind = 'call' then e.sku end as usage_sku, case when e.kind = 'call' then e.units end as usage_units,
      case when e.kind = 'call' then e.period_start end as usage_period_start,
      case when e.kind = 'call' then e.occurred_at end as usage_occurred_at
    from keyfare.placed p cross join lateral unnest(p.ids) with ordinality as i (id, nth) join keyfare.entry e on e.id = i.id`,
  `create view keyfare.log_head as select next_place - 1 as place, as_of from keyfare.sequencer`,
  'grant select on keyfare.entry_feed, keyfare.log_head to keyfare_billing_reader',
];

const accounts = [
  `alter table keyfare.lease drop column outstanding, add column granted bigint not null, add column used bigint not null,
    add column post bigint not null, add column turn bigint not null, add column open boolean not null,
    add column since timestamptz not null`,
  'drop view keyfare.meter_feed',
  `create view keyfare.meter_feed as select account_id, period_start, limit_units, used, leased,
    (select count(*)::integer from keyfare.lease l
      where l.account_id = a.account_id and l.period_start = a.period_start and l.open) as open_leases
    from keyfare.allowance a`,
  `alter table keyfare.account add column revision bigint not null default 0,
    add column effective_at timestamptz not null default now()`,
  'create view keyfare.account_feed as select id as account_id, plan_id, revision, effective_at from keyfare.account',
  'grant select on keyfare.meter_feed, keyfare.account_feed to keyfare_billing_reader',
];
