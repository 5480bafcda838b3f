import { Problem } from '@keyfare/core/problem';
import type { Sql } from '@keyfare/db/sql';
import { awaitBooks, awaitIntake } from '../turns.js';
import type { PeriodAnchor } from './billing-cycle.entity.js';
import { requireUncharged } from './contract-terms.js';

/** What the periods of a contract follow from. */
export interface CycleOf {
  readonly startsAt: Date;
  readonly periodAnchor: PeriodAnchor;
  readonly timeZone: string;
}

interface Given extends CycleOf {
  readonly account: string;
  /** The contract in whose place it is; null for a new one. */
  readonly id: string | null;
}

const beforeAny = { periodAnchor: 'calendar', timeZone: 'UTC' } as const;

/**
 * From when on an account's periods are others, by its contracts in the order in which they start. One of the calendar
 * that goes on as the one before did changes nothing, though it starts within a month; every other one begins a period.
 */
export function cyclesOf(contracts: readonly CycleOf[]): readonly CycleOf[] {
  return contracts.filter(({ periodAnchor, timeZone }, index) => {
    const before = contracts[index - 1] ?? beforeAny;
    const goesOn = before.periodAnchor === 'calendar' && before.timeZone === timeZone;
    return periodAnchor === 'anniversary' || !goesOn;
  });
}

/**
 * Writes what the periods of an account come to with this contract, before it is written itself, within the caller's
 * transaction. 400 `request/invalid` for a time zone that the database does not know; 409 `contract/conflict` where the
 * periods would change of calls that are charged, or of invoices that are drawn up.
 */
export async function keepCycles(tx: Sql, given: Given): Promise<void> {
  // PostgreSQL reads a thousand files for it: before anybody waits.
  await requireKnown(tx, given.timeZone);
  await awaitIntake(tx);
  await awaitBooks(tx);
  const contracts = await tx.query<CycleOf>({
    text: `select starts_at as "startsAt", period_anchor as "periodAnchor", time_zone as "timeZone"
      from billing.contract where account = $1 and id is distinct from $2::uuid`,
    values: [given.account, given.id],
  });
  const ordered = [...contracts, given].toSorted((a, b) => a.startsAt.getTime() - b.startsAt.getTime());
  const after = cyclesOf(ordered);
  const before = await tx.query<CycleOf>({
    text: `select starts_at as "startsAt", anchor as "periodAnchor", time_zone as "timeZone"
      from billing.billing_cycle where account = $1 order by starts_at`,
    values: [given.account],
  });
  const from = firstChange(before, after);
  if (from === null) return;
  await requireUncharged(tx, given.account, from);
  await requireUndrawn(tx, given.account, from);
  await tx.query({ text: 'delete from billing.billing_cycle where account = $1', values: [given.account] });
  await tx.query({
    text: `insert into billing.billing_cycle (account, starts_at, anchor, time_zone)
      select $1, * from unnest($2::timestamptz[], $3::text[], $4::text[])`,
    values: [
      given.account,
      after.map(({ startsAt }) => startsAt.toISOString()),
      after.map(({ periodAnchor }) => periodAnchor),
      after.map(({ timeZone }) => timeZone),
    ],
  });
}

/** Node and PostgreSQL each have the zones of their own release. */
async function requireKnown(tx: Sql, timeZone: string): Promise<void> {
  if (timeZone === 'UTC') return;
  const known = await tx.query({ text: 'select 1 from pg_timezone_names where name = $1', values: [timeZone] });
  if (known.length === 0) {
    throw new Problem('request/invalid', `The database knows no time zone ${timeZone}: names are spelled as it does.`);
  }
}

/** From when on the periods are others; null where they are the same. */
function firstChange(before: readonly CycleOf[], after: readonly CycleOf[]): Date | null {
  const named = (cycle: CycleOf): string =>
    [cycle.startsAt.toISOString(), cycle.periodAnchor, cycle.timeZone].join(' ');
  const [old, now] = [new Set(before.map(named)), new Set(after.map(named))];
  const changed = [
    ...before.filter((cycle) => !now.has(named(cycle))),
    ...after.filter((cycle) => !old.has(named(cycle))),
  ].map(({ startsAt }) => startsAt.getTime());
  return changed.length === 0 ? null : new Date(Math.min(...changed));
}

/** A draft of the running period is cut, and drawn up again as what it is then. */
async function requireUndrawn(tx: Sql, account: string, from: Date): Promise<void> {
  const drawn = await tx.query({
    text: `select 1 from billing.invoice
      where account = $1 and state <> 'void' and (period_start > $2 or period_end > $2 and state <> 'draft') limit 1`,
    values: [account, from],
  });
  if (drawn.length > 0) {
    throw new Problem('contract/conflict', 'Invoices of the account from then on are drawn up already.');
  }
}
