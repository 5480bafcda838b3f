import type { PoolConfig } from 'pg';
import type { Place } from './host-pool.js';

/** What the driver needs to connect there. A pool hides its password from loops over its options. */
export function connectionOf(place: Place): PoolConfig {
  if ('url' in place) return { connectionString: place.url };
  const options = ('like' in place ? place.like : place.pool).options as PoolConfig;
  const { password } = options;
  // Limits and names are of a pool, and each of ours has its own.
  const { max: _max, min: _min, application_name: _name, ...rest } = options;
  return { ...rest, ...(password === undefined ? {} : { password }) };
}
