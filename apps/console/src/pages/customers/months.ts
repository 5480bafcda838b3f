import type { components } from '@keyfare/api-types/gate';
import type { UseQueryResult } from '@tanstack/react-query';
import { gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { lastMonths } from '../../format/plan-cost.js';

export type MonthUsage = components['schemas']['AccountUsage'];

const shown = 12;

/** The counters of the last twelve months of an account, the oldest first. */
export const useMonths = (id: string): UseQueryResult<readonly MonthUsage[]> =>
  useRead(['usage', id], async () =>
    Promise.all(
      lastMonths(new Date(), shown).map(async (month) =>
        ok(gate.GET('/admin/accounts/{id}/usage', { params: { path: { id }, query: { month } } })),
      ),
    ),
  );
