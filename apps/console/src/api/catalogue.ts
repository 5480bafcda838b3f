import type { components } from '@keyfare/api-types/gate';
import type { UseQueryResult } from '@tanstack/react-query';
import { largestPart, readAll } from './all.js';
import { gate, ok } from './client.js';
import { useRead } from './hooks.js';

export type Plan = components['schemas']['Plan'];

/** Every version of every plan, by name and version. */
export const usePlans = (): UseQueryResult<readonly Plan[]> =>
  useRead(['plans'], async () => {
    const { items } = await readAll(async (cursor) =>
      ok(
        gate.GET('/admin/plans', {
          params: { query: { limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
        }),
      ),
    );
    return items;
  });

/** The newest version of each plan. */
export const newest = (plans: readonly Plan[]): readonly Plan[] =>
  [
    ...new Map(plans.toSorted((one, other) => one.version - other.version).map((plan) => [plan.slug, plan])).values(),
  ].toSorted((one, other) => one.slug.localeCompare(other.slug));

export const planName = ({ slug, version }: Pick<Plan, 'slug' | 'version'>): string => `${slug} v${version}`;
