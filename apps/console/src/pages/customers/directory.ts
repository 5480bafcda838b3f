import type { components } from '@keyfare/api-types/billing';
import type { UseQueryResult } from '@tanstack/react-query';
import { largestPart, readAll } from '../../api/all.js';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';

export type Customer = components['schemas']['Customer'];
export type Contract = components['schemas']['Contract'];

export interface Directory {
  /** Of an account, the one that starts last first. */
  contracts(account: string): readonly Contract[];
  customer(id: string): Customer | undefined;
  /** Who an account is invoiced to now, or was last. */
  customerOf(account: string): Customer | undefined;
}

const page = (cursor: string | undefined) => ({
  params: { query: { limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
});

/** Who is invoiced for which account: the API lists contracts and customers, and joins them for nobody. */
export const useDirectory = (): UseQueryResult<Directory> =>
  useRead(['customers', 'directory'], async () => {
    const [customers, contracts] = await Promise.all([
      readAll(async (cursor) => ok(billing.GET('/customers', page(cursor)))),
      readAll(async (cursor) => ok(billing.GET('/contracts', page(cursor)))),
    ]);
    const byId = new Map(customers.items.map((customer) => [customer.id, customer]));
    const byAccount = Map.groupBy(
      contracts.items.toSorted((one, other) => other.startsAt.localeCompare(one.startsAt)),
      ({ account }) => account,
    );
    const of = (account: string): readonly Contract[] => byAccount.get(account) ?? [];
    return {
      contracts: of,
      customer: (id) => byId.get(id),
      customerOf: (account) => byId.get(of(account)[0]?.customerId ?? ''),
    };
  });
