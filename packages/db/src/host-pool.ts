import type { Pool, PoolConfig } from 'pg';
import type { DataSource } from 'typeorm';

/** A pool of `pg` that belongs to somebody else. Any copy of the driver will do, so only what we use of it is named. */
export type HostPool = Pick<Pool, 'connect' | 'on' | 'options' | 'waitingCount' | 'ended'>;

/** Where connections go: to a URL, as those of a host's pool go, or through that pool itself. */
export type Place = { readonly url: string } | { readonly like: HostPool } | { readonly pool: HostPool };

/** What the driver needs to connect as the pool does. The pool hides its password from loops over its options. */
export function connectionOf(place: Place): PoolConfig {
  if ('url' in place) return { connectionString: place.url };
  const { options } = 'like' in place ? place.like : place.pool;
  const { password } = options;
  // Limits and names are of a pool, and each of ours has its own.
  const { max: _max, min: _min, application_name: _name, ...rest } = options;
  return { ...rest, ...(password === undefined ? {} : { password }) };
}

/** The pool of an initialized data source of TypeORM; null for one that is not initialized, or speaks to no PostgreSQL. */
export function poolOf(dataSource: DataSource): HostPool | null {
  const { options, driver } = dataSource;
  if (options.type !== 'postgres' || !dataSource.isInitialized) return null;
  return (driver as unknown as { readonly master: HostPool }).master;
}

/** One answer of the driver for each kind of value that statements read; hosts can change how it reads them. */
const readings = {
  text: `select 1::int8 as big, 1.5::numeric as exact, 1::int4 as whole, true as yes, null as none, 'a'::text as word,
    timestamptz '2026-01-02 03:04:05.006Z' as moment, '\\x0102'::bytea as bytes, '{"a":1}'::jsonb as json,
    array['a','b'] as words, array[1::int8] as bigs, '00000000-0000-4000-8000-000000000000'::uuid as id,
    current_setting('default_transaction_isolation') as isolation, current_setting('transaction_read_only') as read_only`,
};

/**
 * What keeps the pool from running our statements, as sentences that say what to do: types that are read otherwise, a default
 * isolation that is not read committed, a replica, a login without `role`. Nothing when it is good.
 */
export async function hostPoolFaults(pool: HostPool, role: string): Promise<readonly string[]> {
  if (pool.ended) return ['is closed: hand in one that is open'];
  const client = await pool.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(readings.text);
    const [row = {}] = rows;
    const { isolation, read_only: readOnly, ...values } = row;
    const { rows: rights } = await client.query<{ login: string; known: boolean; has: boolean }>(
      `select current_user as login, exists (select 1 from pg_roles where rolname = $1) as known,
        coalesce((select pg_has_role(current_user, oid, 'USAGE') from pg_roles where rolname = $1), false) as has`,
      [role],
    );
    const [right] = rights;
    return [
      ...(isSame(values) ? [] : ['reads types of PostgreSQL in its own way: hand in one without type parsers']),
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
    ? `grant ${role} to ${JSON.stringify(right.login)} with inherit`
    : 'bring the schema up to date first, which makes the role';
}

function isSame({ moment, bytes, ...plain }: Record<string, unknown>): boolean {
  const expected = {
    big: '1',
    exact: '1.5',
    whole: 1,
    yes: true,
    none: null,
    word: 'a',
    json: { a: 1 },
    words: ['a', 'b'],
    bigs: ['1'],
    id: '00000000-0000-4000-8000-000000000000',
  };
  const isMoment = moment instanceof Date && moment.toISOString() === '2026-01-02T03:04:05.006Z';
  return isMoment && Buffer.isBuffer(bytes) && bytes.toString('hex') === '0102' && isEqual(plain, expected);
}

function isEqual(one: object, other: object): boolean {
  return JSON.stringify(Object.entries(one).toSorted()) === JSON.stringify(Object.entries(other).toSorted());
}
