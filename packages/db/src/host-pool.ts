import { isDeepStrictEqual } from 'node:util';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { grantByInheritance } from './grant.js';

/** A pool of `pg` that belongs to a host. Any copy of the driver will do, so only what we use of it is named. */
export interface HostPool {
  readonly options: object;
  readonly waitingCount: number;
  readonly ended: boolean;
  connect(): Promise<object>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Where connections go: to a URL, as those of a host's pool go, or through that pool itself. */
export type Place = { readonly url: string } | { readonly like: HostPool } | { readonly pool: HostPool };

/**
 * The pool of an initialized data source of TypeORM; null for one that is not initialized, or speaks to no PostgreSQL.
 */
export function poolOf(dataSource: DataSource): HostPool | null {
  const { options, driver } = dataSource;
  if (options.type !== 'postgres' || !dataSource.isInitialized) return null;
  return (driver as unknown as { readonly master: HostPool }).master;
}

/** One value of each kind that statements read: hosts can change how the driver reads them. */
const readings = `select 1::int8 as big, 1.5::numeric as exact, 1::int4 as whole, true as yes, null as none, 'a'::text as word,
    timestamptz '2026-01-02 03:04:05.006Z' as moment, '\\x0102'::bytea as bytes, '{"a":1}'::jsonb as json,
    array['a','b'] as words, array[1::int8] as bigs, '00000000-0000-4000-8000-000000000000'::uuid as id,
    current_setting('default_transaction_isolation') as isolation, current_setting('transaction_read_only') as read_only`;

/** The same as our statements expect it. */
const expected = {
  big: '1',
  exact: '1.5',
  whole: 1,
  yes: true,
  none: null,
  word: 'a',
  moment: new Date('2026-01-02T03:04:05.006Z'),
  bytes: Buffer.from([1, 2]),
  json: { a: 1 },
  words: ['a', 'b'],
  bigs: ['1'],
  id: '00000000-0000-4000-8000-000000000000',
};

/**
 * What keeps the pool from running our statements, as sentences that say what to do: types that are read otherwise, a
 * default isolation that is not read committed, a replica, a login without `role`. Nothing when it is good.
 */
export async function hostPoolFaults(pool: HostPool, role: string): Promise<readonly string[]> {
  if (pool.ended) return ['is closed: hand in one that is open'];
  const client = await (pool as Pool).connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(readings);
    const [row = {}] = rows;
    const { isolation, read_only: readOnly, ...values } = row;
    const { rows: rights } = await client.query<{ login: string; known: boolean; has: boolean }>(
      `select current_user as login, exists (select 1 from pg_roles where rolname = $1) as known,
        coalesce((select pg_has_role(current_user, oid, 'USAGE') from pg_roles where rolname = $1), false) as has`,
      [role],
    );
    const [right] = rights;
    return [
      ...(isDeepStrictEqual({ ...values }, expected)
        ? []
        : ['reads types of PostgreSQL in its own way: hand in one without type parsers']),
      ...(isolation === 'read committed' ? [] : ['begins transactions that are not read committed: leave the default']),
      ...(readOnly === 'off' ? [] : ['is read only: connect it to the primary']),
      ...(right?.has === true ? [] : [`has no rights of ${role}: ${todo(right, role)}`]),
    ];
  } finally {
    client.release();
  }
}

function todo(right: { login: string; known: boolean } | undefined, role: string): string {
  return right?.known === true
    ? `run \`${grantByInheritance(role, right.login)}\` as an administrator`
    : 'bring the schema up to date first, which makes the role';
}
