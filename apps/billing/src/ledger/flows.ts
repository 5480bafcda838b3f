import type { Rail } from '@keyfare/core/metering';
import {
  cash,
  openingBalance,
  revenue,
  treasuryOut,
  unbilledReceivable,
  unidentifiedReceipts,
  x402Receivable,
} from './chart.js';
import { type Journal, journalOf } from './journal.js';

/** A rated call, as far as the ledger is concerned. */
export interface BookedCall {
  readonly entryId: string;
  readonly rail: Rail;
  /** The account on the key rail. */
  readonly account: string | null;
  /** The chain on the x402 rail. */
  readonly network: string | null;
  readonly sku: string;
  /** Micro-dollars on the key rail, atomic USDC on the x402 rail. */
  readonly amount: bigint;
  readonly occurredAt: Date;
}

/** A transfer to or from the wallet that payments go to. */
export interface BookedTransfer {
  readonly id: string;
  readonly network: string;
  readonly payTo: string;
  readonly from: string;
  readonly to: string;
  readonly value: bigint;
  /** Whether an EIP-3009 authorization made it. */
  readonly authorized: boolean;
  /** Whether an entry records the payment that this transfer settles. */
  readonly recorded: boolean;
  readonly blockTime: Date;
}

/** What a call earned: nothing for units that the plan includes. */
export function journalsOfCall(call: BookedCall): readonly Journal[] {
  const { entryId, rail, account, network, sku, amount, occurredAt } = call;
  if (amount === 0n) return [];
  const debit = rail === 'key' ? unbilledReceivable(present(account)) : x402Receivable(present(network));
  const source = `call:${entryId}`;
  return [journalOf({ kind: 'call', source, occurredAt, debit, credit: revenue(rail, sku), amount })];
}

/**
 * What a transfer moved. One in settles a recorded payment or waits to be identified; one out is a withdrawal; the
 * wallet's payment to itself is both. Its plain transfer to itself moves nothing.
 */
export function journalsOfTransfer(transfer: BookedTransfer): readonly Journal[] {
  const { id, network, payTo, from, to, value, authorized, recorded, blockTime } = transfer;
  if (value === 0n || (from === to && !authorized)) return [];
  const wallet = cash(network, payTo);
  const common = { source: `transfer:${id}`, occurredAt: blockTime, amount: value };
  const inward = recorded
    ? journalOf({ ...common, kind: 'settlement', debit: wallet, credit: x402Receivable(network) })
    : journalOf({ ...common, kind: 'unidentified', debit: wallet, credit: unidentifiedReceipts });
  const outward = (): Journal => journalOf({ ...common, kind: 'withdrawal', debit: treasuryOut, credit: wallet });
  return [...(to === payTo ? [inward] : []), ...(from === payTo ? [outward()] : [])];
}

/** An entry came that explains a transfer which had come before it: the two orders end in the same balances. */
export function identificationOf({ id, network, value, blockTime }: Omit<BookedTransfer, 'recorded'>): Journal {
  return journalOf({
    kind: 'identification',
    source: `transfer:${id}`,
    occurredAt: blockTime,
    debit: unidentifiedReceipts,
    credit: x402Receivable(network),
    amount: value,
  });
}

/** What the wallet held at the start: nothing to write when it was empty. */
export function journalsOfOpening(opening: {
  readonly network: string;
  readonly payTo: string;
  readonly balance: bigint;
  readonly at: Date;
}): readonly Journal[] {
  const { network, payTo, balance, at } = opening;
  if (balance === 0n) return [];
  const wallet = cash(network, payTo);
  const source = `opening:${wallet.code}`;
  return [
    journalOf({ kind: 'opening', source, occurredAt: at, debit: wallet, credit: openingBalance, amount: balance }),
  ];
}

function present(value: string | null): string {
  if (value === null) throw new TypeError('a booked call must say whose it is');
  return value;
}
