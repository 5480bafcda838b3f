import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '@keyfare/core/time';
import { adminQuery } from '@keyfare/devstack/postgres';

/** The time of a history: that of the call under way, or else that of the newest thing that has happened. */
export interface HistoryTime {
  readonly clock: Clock;
  readonly now: Date;
  /** Never goes back. */
  moveTo(at: Date): void;
  /** Begins a call at its own time, until the answer ends it: what it leaves in the background has the history's. */
  begin(at: Date, call: () => void): { end(): void };
}

export function historyTime(begin: Date): HistoryTime {
  const calls = new AsyncLocalStorage<{ readonly at: Date; isOver: boolean }>();
  let now = begin;
  return {
    get now() {
      return now;
    },
    clock: () => {
      const call = calls.getStore();
      return new Date(call === undefined || call.isOver ? now : call.at);
    },
    moveTo: (at) => {
      if (at > now) now = at;
    },
    begin: (at, work) => {
      const call = { at, isOver: false };
      calls.run(call, work);
      return {
        end: () => {
          call.isOver = true;
        },
      };
    },
  };
}

/** In the search path before pg_catalog, for the sessions of a history's gate alone. */
export const shadowSchema = 'keyfare_seed';

/**
 * The gate asks the database's own clock too: clock_timestamp() dates terms, now() ends the counters of free calls and
 * the leases of dead processes. No argument changes those, so the sessions of a history's gate find functions of these
 * names first, by their search path. Nothing of the product's schemas is touched, and `end` drops them.
 */
export interface DatabaseTime {
  moveTo(at: Date): Promise<void>;
  end(): Promise<void>;
}

export async function shadowDatabaseTime(superuserUrl: string, begin: Date): Promise<DatabaseTime> {
  await adminQuery(superuserUrl, `drop schema if exists ${shadowSchema} cascade`);
  await adminQuery(superuserUrl, `create schema ${shadowSchema}`);
  await adminQuery(superuserUrl, `create table ${shadowSchema}.moment (at timestamptz not null)`);
  await adminQuery(superuserUrl, `insert into ${shadowSchema}.moment values ($1)`, [begin]);
  for (const name of ['now', 'clock_timestamp']) {
    await adminQuery(
      superuserUrl,
      `create function ${shadowSchema}.${name}() returns timestamptz language sql stable security definer
        set search_path = pg_catalog return (select at from ${shadowSchema}.moment)`,
    );
  }
  await adminQuery(superuserUrl, `grant usage on schema ${shadowSchema} to keyfare_gate`);
  return {
    moveTo: async (at) => void (await adminQuery(superuserUrl, `update ${shadowSchema}.moment set at = $1`, [at])),
    end: async () => void (await adminQuery(superuserUrl, `drop schema ${shadowSchema} cascade`)),
  };
}
