import type { components } from '@keyfare/api-types/gate';
import { largestPart, readAll, type Whole } from '../../api/all.js';
import { billing, gate, ok } from '../../api/client.js';
import { toMicros } from '../../format/money.js';
import { costOn, type PlanTerms } from '../../format/plan-cost.js';

export type Account = components['schemas']['Account'];

/** Of a plan no more accounts than these are read. */
const most = 10_000;

const part = (cursor: string | undefined) => ({
  limit: largestPart,
  ...(cursor === undefined ? {} : { cursor }),
});

/** Every account on a version of the plan. */
export const readAccounts = async (slug: string): Promise<Whole<Account>> =>
  readAll(
    async (cursor) => ok(gate.GET('/admin/accounts', { params: { query: { ...part(cursor), plan: slug } } })),
    most,
  );

/** Units by account in a month, as the books have them. */
export async function readUnits(month: string): Promise<ReadonlyMap<string, string>> {
  const { items } = await readAll(
    async (cursor) => ok(billing.GET('/reports/callers', { params: { query: { ...part(cursor), month } } })),
    most,
  );
  const units = new Map<string, bigint>();
  for (const { segment, caller, units: used } of items) {
    if (segment === 'account' && caller !== null) units.set(caller, (units.get(caller) ?? 0n) + BigInt(used));
  }
  return new Map([...units].map(([caller, used]) => [caller, used.toString()]));
}

/** What other terms would have made of an account's month. */
export interface Effect {
  readonly account: Account;
  readonly units: string;
  readonly now: string;
  readonly next: string;
  /** Millionths of a dollar. */
  readonly difference: bigint;
  readonly refused: string;
}

/**
 * What a whole month of its units comes to on its plan and on `terms`, for each account that is not closed; the largest
 * rise first.
 */
export function effectsOf(
  accounts: readonly Account[],
  units: ReadonlyMap<string, string>,
  terms: PlanTerms,
): readonly Effect[] {
  return accounts
    .filter(({ status }) => status !== 'closed')
    .map((account): Effect => {
      const used = units.get(account.id) ?? '0';
      const [now, next] = [costOn(account.plan, used), costOn(terms, used)];
      return {
        account,
        units: used,
        now: now.total,
        next: next.total,
        difference: toMicros(next.total) - toMicros(now.total),
        refused: next.unitsRefused,
      };
    })
    .toSorted((one, other) => (one.difference < other.difference ? 1 : one.difference > other.difference ? -1 : 0));
}
