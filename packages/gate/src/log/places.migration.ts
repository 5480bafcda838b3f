import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * One wide, append-only table for what was signed and what it used, in monthly partitions, and places that one
 * sequencer gives. Replaces the tables entry, receipt and usage, whose rows are brought over: entries get their places
 * in the order in which the feed showed them until now.
 */
export class PlaceEntries1796000000100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await setAside(queryRunner);
    await createEntry(queryRunner);
    await createPlaces(queryRunner);
    await createFunctions(queryRunner);
    await bringOver(queryRunner);
    await createFeeds(queryRunner);
    await queryRunner.query('grant select on keyfare.entry, keyfare.placed, keyfare.sequencer to keyfare_gate');
    // The time is the database's to say: a line cannot be dated by who writes it.
    await queryRunner.query(`
      grant insert (id, kind, principal, rail, account_id, key_id, sku, units, period_start, occurred_at, writer, post,
        kid, payload, signature, digest) on keyfare.entry to keyfare_gate`);
    await queryRunner.query('grant select, delete, insert (ids) on keyfare.unplaced to keyfare_gate');
    await queryRunner.query('grant insert on keyfare.placed to keyfare_gate');
    await queryRunner.query('grant update on keyfare.sequencer to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

async function setAside(queryRunner: QueryRunner): Promise<void> {
  await queryRunner.query('drop view keyfare.entry_feed');
  await queryRunner.query('alter table keyfare.entry rename to entry_before');
  await queryRunner.query('alter table keyfare.entry_before rename constraint entry_pk to entry_before_pk');
}

async function createEntry(queryRunner: QueryRunner): Promise<void> {
  await queryRunner.query(`
    create table keyfare.entry (
      id uuid not null,
      kind text not null,
      principal text not null,
      rail text,
      account_id text,
      key_id text,
      sku text,
      units bigint,
      period_start timestamptz,
      occurred_at timestamptz,
      writer uuid,
      post bigint,
      kid text not null,
      payload bytea,
      signature bytea,
      digest bytea not null,
      recorded_at timestamptz not null default now(),
      constraint entry_pk primary key (id),
      constraint entry_digest check (octet_length(digest) = 32),
      constraint entry_signature check (octet_length(signature) = 64),
      constraint entry_units check (units > 0)
    ) partition by range (id)`);
  await queryRunner.query('create table keyfare.entry_other partition of keyfare.entry default');
  // What a dead process posted is found by when it was recorded; the order on disk is that order.
  await queryRunner.query('create index entry_recorded on keyfare.entry using brin (recorded_at)');
  for (const table of ['entry', 'entry_other']) await forbidChange(queryRunner, table);
}

async function forbidChange(queryRunner: QueryRunner, table: string): Promise<void> {
  await queryRunner.query(`
    create trigger ${table}_append_only before update or delete or truncate on keyfare.${table}
    execute function keyfare.append_only()`);
}

async function createPlaces(queryRunner: QueryRunner): Promise<void> {
  await queryRunner.query(`
    create table keyfare.unplaced (
      serial bigint generated always as identity,
      ids uuid[] not null,
      constraint unplaced_pk primary key (serial)
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`);
  await queryRunner.query(`
    create table keyfare.placed (
      first_place bigint not null,
      last_place bigint not null,
      ids uuid[] not null,
      constraint placed_pk primary key (last_place),
      constraint placed_places check (last_place - first_place + 1 = cardinality(ids))
    )`);
  await queryRunner.query(`
    create table keyfare.sequencer (
      id integer not null,
      holder uuid,
      epoch bigint not null default 0,
      expires_at timestamptz not null default now(),
      next_place bigint not null default 1,
      as_of timestamptz not null default now(),
      constraint sequencer_pk primary key (id),
      constraint sequencer_once check (id = 1)
    ) with (fillfactor = 10)`);
  await forbidChange(queryRunner, 'placed');
}

async function createFunctions(queryRunner: QueryRunner): Promise<void> {
  // The compact JWS of an entry (RFC 7515, section 7.1), whose header is canonical JSON.
  await queryRunner.query(`
    create function keyfare.base64url(value bytea) returns text language sql immutable
    return translate(encode(value, 'base64'), E'+/=\\n', '-_')`);
  await queryRunner.query(`
    create function keyfare.jws(kind text, kid text, payload bytea, signature bytea) returns text language sql immutable
    return keyfare.base64url(convert_to('{"alg":"EdDSA","kid":' || to_json(kid)::text || ',"typ":"keyfare-'
        || case kind when 'call' then 'receipt' else kind end || '+jws"}', 'UTF8'))
      || '.' || keyfare.base64url(payload) || '.' || keyfare.base64url(signature)`);
  // The least UUIDv7 of a moment (RFC 9562, section 5.7), less its version bits.
  await queryRunner.query(`
    create function keyfare.least_id(at timestamptz) returns uuid language sql immutable
    return (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid`);
  await queryRunner.query(`
    create function keyfare.make_month(at timestamptz) returns boolean language plpgsql as $$
    declare
      beginning timestamptz := date_trunc('month', at, 'UTC');
      name text := 'entry_' || to_char(beginning at time zone 'UTC', 'YYYY_MM');
    begin
      if to_regclass('keyfare.' || name) is not null then return false; end if;
      execute format('create table keyfare.%I partition of keyfare.entry for values from (%L) to (%L)', name,
        keyfare.least_id(beginning),
        keyfare.least_id(((beginning at time zone 'UTC') + interval '1 month') at time zone 'UTC'));
      execute format('create trigger %I before update or delete or truncate on keyfare.%I
        execute function keyfare.append_only()', name || '_append_only', name);
      return true;
    exception
      when check_violation or duplicate_table then return false;
    end $$`);
  // The partitions of this month and the next two. A month whose ids are in the default partition already stays there.
  await queryRunner.query(`
    create function keyfare.make_months() returns integer language plpgsql security definer
    set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
    declare made integer := 0;
    begin
      for ahead in 0 .. 2 loop
        if keyfare.make_month(now() + ahead * interval '1 month') then made := made + 1; end if;
      end loop;
      return made;
    end $$`);
  await queryRunner.query(
    'revoke execute on function keyfare.make_month(timestamptz), keyfare.make_months() from public',
  );
  await queryRunner.query('grant execute on function keyfare.make_months() to keyfare_gate');
}

async function bringOver(queryRunner: QueryRunner): Promise<void> {
  // Before the rows: a month that has rows in the default partition cannot be made.
  await queryRunner.query(`
    select keyfare.make_month(m.month) from
      (select distinct date_trunc('month', recorded_at, 'UTC') as month from keyfare.entry_before) m order by m.month`);
  await queryRunner.query('select keyfare.make_months()');
  await queryRunner.query(`
    create function keyfare.from_base64url(value text) returns bytea language sql immutable
    return decode(rpad(translate(value, '-_', '+/'), (length(value) + 3) / 4 * 4, '='), 'base64')`);
  await queryRunner.query(`
    insert into keyfare.entry (id, kind, principal, rail, account_id, key_id, sku, units, period_start, occurred_at, kid,
      payload, signature, digest, recorded_at)
    select e.id, e.kind, e.principal, u.rail, case u.rail when 'x402' then u.account_id end, u.key_id, u.sku, u.units,
      u.period_start, u.occurred_at, coalesce(r.kid, ''), keyfare.from_base64url(split_part(r.jws, '.', 2)),
      keyfare.from_base64url(split_part(r.jws, '.', 3)), e.digest, e.recorded_at
    from keyfare.entry_before e left join keyfare.receipt r on r.id = e.id left join keyfare.usage u on u.id = e.id
    order by e.tx, e.position`);
  await queryRunner.query(`
    insert into keyfare.placed (first_place, last_place, ids)
    select min(place), max(place), array_agg(id order by place)
    from (select id, row_number() over (order by tx, position) as place from keyfare.entry_before) numbered
    group by (place - 1) / 500`);
  await queryRunner.query(`
    insert into keyfare.sequencer (id, next_place) select 1, count(*) + 1 from keyfare.entry_before`);
  // Nothing is dropped unless every document can be made again from what was brought over.
  await queryRunner.query(`
    select keyfare.refuse('KF004', 'a document could not be brought over') where exists (
      select 1 from keyfare.receipt r left join keyfare.entry e on e.id = r.id
      where keyfare.jws(e.kind, e.kid, e.payload, e.signature) is distinct from r.jws)`);
  await queryRunner.query(`
    select keyfare.refuse('KF004', 'usage could not be brought over') where exists (
      select 1 from keyfare.usage u left join keyfare.entry e on e.id = u.id where e.units is distinct from u.units)`);
  await queryRunner.query('drop table keyfare.entry_before, keyfare.receipt, keyfare.usage');
  await queryRunner.query('drop function keyfare.current_tx(), keyfare.from_base64url(text)');
}

async function createFeeds(queryRunner: QueryRunner): Promise<void> {
  await queryRunner.query(`
    create view keyfare.entry_feed as
    select p.first_place + i.nth - 1 as place, p.last_place, e.id, e.kind, e.principal, e.digest, e.recorded_at,
      keyfare.jws(e.kind, e.kid, e.payload, e.signature) as jws,
      case when e.kind = 'call' then e.rail end as usage_rail,
      case when e.kind = 'call' then case e.rail when 'key' then e.principal else e.account_id end end as usage_account,
      case when e.kind = 'call' and e.rail <> 'key' then e.principal end as usage_payer,
      case when e.kind = 'call' then e.sku end as usage_sku,
      case when e.kind = 'call' then e.units end as usage_units,
      case when e.kind = 'call' then e.period_start end as usage_period_start,
      case when e.kind = 'call' then e.occurred_at end as usage_occurred_at
    from keyfare.placed p cross join lateral unnest(p.ids) with ordinality as i(id, nth)
    join keyfare.entry e on e.id = i.id`);
  await queryRunner.query(`
    create view keyfare.log_head as select next_place - 1 as place, as_of from keyfare.sequencer`);
  await queryRunner.query('grant select on keyfare.entry_feed, keyfare.log_head to keyfare_billing_reader');
}
