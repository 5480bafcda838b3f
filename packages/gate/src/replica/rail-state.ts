import { SqlPool } from '@keyfare/db/sql';
import { estimateCost } from '@keyfare/evm/chain';
import type { NetworkAccess } from '../networks.js';
import { transferGas } from '../networks.js';

/** Whether the settler can pay for its settlements: `empty` when the node would not take one more. */
export type SettlerFunds = 'ok' | 'low' | 'empty';

/** What the wallet that settles on a network has for gas. */
export interface Gas {
  readonly wei: bigint;
  /** Settlements of one payment each that it pays for, at the fees of the moment. */
  readonly settlementsLeft: number;
  readonly funds: SettlerFunds;
}

/** Payments of one state that have not come to their end. */
interface OpenPayments {
  readonly network: string;
  readonly asset: string;
  readonly state: string;
  readonly count: number;
  /** Atomic units. */
  readonly amount: string;
  /** For how many seconds the oldest of them has been claimed. */
  readonly oldestSeconds: number;
}

/** What the database says of the rail. */
export interface Books {
  /** Entries of the log without a place; of at most 10,000 posts. */
  readonly unplaced: number;
  /** For how many seconds the oldest of them has waited for one. */
  readonly sequencerLagSeconds: number;
  readonly payments: readonly OpenPayments[];
}

/** Reads the gas of a network's wallet. Rejects when the node cannot be asked. */
export async function readGas({ chain, wallet }: NetworkAccess, lowSettlements: number): Promise<Gas> {
  const [wei, fees] = await Promise.all([chain.etherBalance(wallet.address), chain.fees()]);
  const cost = estimateCost(transferGas, fees);
  // A node takes a transaction only from who could pay its whole limit at its highest fee.
  const isTaken = wei >= wallet.gasLimit * fees.maxFeePerGas;
  const settlementsLeft = isTaken ? Number(cost === 0n ? wei : wei / cost) : 0;
  const funds = settlementsLeft === 0 ? 'empty' : settlementsLeft < lowSettlements ? 'low' : 'ok';
  return { wei, settlementsLeft, funds };
}

/**
 * One statement, whatever there is: the heads of two short tables, and the open payments by an index that has no
 * others, of which it counts 100,000 at most. The dates it compares are the database's own.
 */
const selectBooks = `
  select
    (select coalesce(sum(cardinality(ids)), 0)::int from (select ids from keyfare.unplaced limit 10000) head) as unplaced,
    coalesce((select extract(epoch from clock_timestamp() - e.recorded_at)::float8 from keyfare.entry e
      where e.id = (select ids[1] from keyfare.unplaced order by serial limit 1)), 0) as lag,
    (select coalesce(json_agg(json_build_object('network', network, 'asset', asset, 'state', state, 'count', number,
        'amount', total, 'oldestSeconds', greatest(0, extract(epoch from clock_timestamp() - oldest)::float8))),
        '[]'::json)
      from (
        select network, asset, state, count(*)::int as number, sum(amount)::text as total,
          min(claimed_at) as oldest
        from (select network, asset, state, amount, claimed_at from keyfare.payment where not closed limit 100000) under_way
        group by network, asset, state) sums) as payments`;

/** Reads the books. Rejects when the database cannot be asked. */
export async function readBooks(sql: SqlPool): Promise<Books> {
  const [row] = await sql.query<{ unplaced: number; lag: number; payments: readonly OpenPayments[] }>({
    name: 'keyfare_watch',
    text: selectBooks,
  });
  if (row === undefined) throw new Error('the database answered no row');
  return { unplaced: row.unplaced, sequencerLagSeconds: Math.max(0, row.lag), payments: row.payments };
}
