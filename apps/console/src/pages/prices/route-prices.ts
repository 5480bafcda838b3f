import type { UseQueryResult } from '@tanstack/react-query';
import { gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';

interface Range {
  readonly min: string;
  readonly max: string;
}

/** One way to pay a price. */
interface Accepted {
  readonly network: string;
  readonly symbol: string;
  readonly payTo: string;
  readonly flow: string;
  readonly currency: string;
  readonly price: Range;
}

/** A price as the API publishes it; its OpenAPI document has no schema of it. */
export interface RoutePrice {
  readonly id: string;
  readonly sku: string;
  readonly scope: string;
  readonly currency: string;
  readonly price: Range;
  readonly units: Range;
  readonly accepts: readonly Accepted[];
  readonly routes?: readonly { readonly method: string; readonly path: string }[];
  readonly firstSeenAt: string;
}

type Pair = readonly [min: string, max: string];

/** A price that a product has had, as it was recorded: in the fewest letters, for an id is made of it. */
export interface PastPrice {
  readonly id: string;
  readonly terms: {
    readonly scope: string;
    readonly currency: string;
    readonly price: Pair;
    readonly units: Pair;
    readonly accepts: readonly (readonly [
      network: string,
      asset: string,
      payTo: string,
      flow: string,
      min: string,
      max: string,
    ])[];
  };
  readonly firstSeenAt: string;
}

type Asked = Promise<{ readonly data?: unknown; readonly response: Response }>;

const pricesIn = async <T>(asked: Asked): Promise<readonly T[]> =>
  ((await ok(asked)) as { readonly prices: readonly T[] }).prices;

/** What is on offer now. */
export const useRoutePrices = (): UseQueryResult<readonly RoutePrice[]> =>
  useRead(['prices'], async () => pricesIn<RoutePrice>(gate.GET('/prices')));

/** Every price that a product has had, as they are recorded. */
export const usePastPrices = (sku: string): UseQueryResult<readonly PastPrice[]> =>
  useRead(['prices', sku], async () =>
    pricesIn<PastPrice>(gate.GET('/prices/skus/{sku}', { params: { path: { sku } } })),
  );
