import { billing, ok } from '../../api/client.js';
import { sumMoney } from '../../format/money.js';

/** A part of the payments of a month, as the books and the chain have them. */
export const readSettlements = async (month: string, cursor: string | undefined) =>
  ok(
    billing.GET('/reports/settlements', {
      params: { query: { month, limit: '200', ...(cursor === undefined ? {} : { cursor }) } },
    }),
  );

export type Settlement = Awaited<ReturnType<typeof readSettlements>>['items'][number];

/** A transaction and the payments that it moved. */
export interface Batch {
  readonly transaction: string;
  readonly network: string | null;
  readonly block: string | null;
  readonly blockTime: string | null;
  readonly finality: string | null;
  /** Those of the month. */
  readonly payments: readonly Settlement[];
  /** How many the transaction has moved to us. */
  readonly size: string | null;
  /** By asset. */
  readonly settled: readonly { readonly asset: string; readonly amount: string }[];
  /** Wei. */
  readonly gas: string;
}

/** Payments by the transaction that moved them, the newest block first; what has none is left out. */
export function batchesOf(rows: readonly Settlement[]): readonly Batch[] {
  const groups = Map.groupBy(
    rows.filter(({ transaction }) => transaction !== null),
    ({ transaction }) => transaction ?? '',
  );
  const batches = [...groups].map(([transaction, payments]): Batch => {
    const {
      network = null,
      block = null,
      blockTime = null,
      finality = null,
      payments: size = null,
    } = payments[0] ?? {};
    return {
      transaction,
      network,
      block,
      blockTime,
      finality,
      payments,
      size,
      settled: [...Map.groupBy(payments, ({ asset }) => asset)].map(([asset, ofAsset]) => ({
        asset,
        amount: sumMoney(ofAsset.map(({ settled }) => settled ?? '0')),
      })),
      gas: payments.reduce((sum, { gasShare }) => sum + BigInt(gasShare ?? '0'), 0n).toString(),
    };
  });
  return batches.toSorted((one, other) => (other.blockTime ?? '').localeCompare(one.blockTime ?? ''));
}
