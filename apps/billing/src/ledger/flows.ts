import type { Rail } from '@keyfare/core/metering';
import type { AssetCode, TokenCode } from '@keyfare/core/money';
import {
  cash,
  deferredReceivable,
  dust,
  inTransit,
  type LedgerAccount,
  openingBalance,
  otherService,
  refundsDue,
  revenue,
  treasuryOut,
  unbilledReceivable,
  uncollected,
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
  /** Whether it was served on credit, its payment to be collected later. */
  readonly deferred: boolean;
  readonly sku: string;
  /** Dollars on the key rail, on the x402 rail what was paid in. */
  readonly asset: AssetCode;
  readonly amount: bigint;
  readonly occurredAt: Date;
}

/**
 * What the log says that an authorized transfer pays: something whose payment it records as moved, a call on credit, or
 * nothing that it knows of or still expects money for.
 */
export type Claim = 'settled' | 'deferred' | 'none';

/**
 * What a transfer is by the wallets on its sides, where no entry claims it: between two wallets of ours, with another
 * service by the wallet that it is known by, of a time in which the wallet was not ours yet, too small to matter, or
 * paying back what an entry says is owed.
 */
export type Nature = 'sweep' | 'before' | 'dust' | 'refund' | { readonly service: string };

/** A transfer to or from a wallet of ours. */
export interface BookedTransfer {
  readonly id: string;
  readonly network: string;
  readonly asset: TokenCode;
  readonly payTo: string;
  readonly from: string;
  readonly to: string;
  readonly value: bigint;
  /** Whether an EIP-3009 authorization made it. */
  readonly authorized: boolean;
  /** What it pays by the entries that are booked by now. */
  readonly claim: Claim;
  /** Null or left out: with somebody whom the books do not know. */
  readonly nature?: Nature | null;
  readonly blockTime: Date;
}

/** What happened to a payment after the entry that brought it in, as far as the ledger is concerned. */
export interface PaymentTurn {
  /**
   * `write-off`: a call on credit is given up. `dropped`: the chain dropped a settlement; `restored`: it moved again.
   */
  readonly kind: 'write-off' | 'dropped' | 'restored';
  /** The entry that says so, by its kind: `unpaid:<entry>`. */
  readonly source: string;
  readonly network: string;
  readonly asset: TokenCode;
  /** What the payment was for: the product of a call; null where nothing was served. */
  readonly sku: string | null;
  readonly amount: bigint;
  readonly occurredAt: Date;
}

/** What a call earned: nothing for units that the plan includes. */
export function journalsOfCall(call: BookedCall): readonly Journal[] {
  const { entryId, rail, account, network, deferred, sku, asset, amount, occurredAt } = call;
  if (amount === 0n) return [];
  const receivable = deferred ? deferredReceivable : x402Receivable;
  const debit = asset === 'USD' ? unbilledReceivable(present(account)) : receivable(present(network), asset);
  const source = `call:${entryId}`;
  return [journalOf({ kind: 'call', source, occurredAt, debit, credit: revenue(rail, sku, asset), amount })];
}

/** Money that moved and that nothing was served for: it is owed back, and earns nothing. */
export function journalsOfRefund(refund: {
  readonly entryId: string;
  readonly network: string;
  readonly asset: TokenCode;
  readonly amount: bigint;
  readonly issuedAt: Date;
}): readonly Journal[] {
  const { entryId, network, asset, amount, issuedAt: occurredAt } = refund;
  if (amount === 0n) return [];
  const debit = x402Receivable(network, asset);
  const source = `refund-due:${entryId}`;
  return [journalOf({ kind: 'refund-due', source, occurredAt, debit, credit: refundsDue(asset), amount })];
}

/** What a payment's later life changes: a write-off is a loss; a drop takes back what the payment earned or owed. */
export function journalsOfTurn(turn: PaymentTurn): readonly Journal[] {
  const { kind, source, network, asset, sku, amount, occurredAt } = turn;
  if (amount === 0n) return [];
  const common = { kind, source, occurredAt, amount };
  if (kind === 'write-off') {
    return [journalOf({ ...common, debit: uncollected(asset), credit: deferredReceivable(network, asset) })];
  }
  const earned = sku === null ? refundsDue(asset) : revenue('x402', sku, asset);
  const expected = x402Receivable(network, asset);
  const [debit, credit] = kind === 'dropped' ? [earned, expected] : [expected, earned];
  return [journalOf({ ...common, debit, credit })];
}

/**
 * What a transfer moved. One in settles a payment that the log claims, or is what its sides make it, or waits to be
 * identified; one out is a withdrawal where its sides make it nothing else; the wallet's payment to itself is both. Its
 * plain transfer to itself moves nothing.
 */
export function journalsOfTransfer(transfer: BookedTransfer): readonly Journal[] {
  const { id, network, asset, payTo, from, to, value, authorized, blockTime } = transfer;
  if (value === 0n || (from === to && !authorized)) return [];
  const wallet = cash(network, payTo, asset);
  const common = { source: `transfer:${id}`, occurredAt: blockTime, amount: value };
  const inward = (): Journal =>
    journalOf({ ...common, kind: inwardKind(transfer), debit: wallet, credit: sourceOf(transfer) });
  const outward = (): Journal =>
    journalOf({ ...common, kind: outwardKind(transfer), debit: destinationOf(transfer), credit: wallet });
  return [...(to === payTo ? [inward()] : []), ...(from === payTo ? [outward()] : [])];
}

type Sided = Pick<BookedTransfer, 'network' | 'asset' | 'claim' | 'nature'>;

const inwardKinds = { settled: 'settlement', deferred: 'collection', none: 'unidentified' } as const;

function inwardKind({ claim, nature = null }: Sided): (typeof inwardKinds)[Claim] | NatureKind {
  return claim === 'none' && nature !== null ? natureKind(nature) : inwardKinds[claim];
}

function outwardKind({ claim, nature = null }: Sided): 'withdrawal' | NatureKind {
  return claim === 'none' && nature !== null ? natureKind(nature) : 'withdrawal';
}

type NatureKind = 'sweep' | 'opening' | 'dust' | 'refund' | 'other-service';

function natureKind(nature: Nature): NatureKind {
  if (typeof nature === 'object') return 'other-service';
  return nature === 'before' ? 'opening' : nature;
}

function accountOf(nature: Nature, { network, asset }: Sided): LedgerAccount {
  if (typeof nature === 'object') return otherService(network, nature.service, asset);
  if (nature === 'sweep') return inTransit(network, asset);
  if (nature === 'refund') return refundsDue(asset);
  return nature === 'dust' ? dust(network, asset) : openingBalance(asset);
}

/** The account that stands against what a transfer brought in. What an entry claims is that, whoever sent it. */
export function sourceOf(transfer: Sided): LedgerAccount {
  const { claim, nature = null } = transfer;
  return claim === 'none' && nature !== null ? accountOf(nature, transfer) : claimed(claim, transfer);
}

/** The account that stands against what a transfer took out. What pays for our own call has left the wallet. */
export function destinationOf(transfer: Sided): LedgerAccount {
  const { asset, claim, nature = null } = transfer;
  return claim === 'none' && nature !== null ? accountOf(nature, transfer) : treasuryOut(asset);
}

/** The account that a transfer with this claim clears. */
export function claimed(claim: Claim, { network, asset }: Pick<BookedTransfer, 'network' | 'asset'>): LedgerAccount {
  if (claim === 'none') return unidentifiedReceipts(asset);
  return claim === 'deferred' ? deferredReceivable(network, asset) : x402Receivable(network, asset);
}

/** A booked transfer that is something else by now than it was booked as. */
export interface Reclaimed {
  readonly id: string;
  readonly value: bigint;
  readonly blockTime: Date;
  readonly debit: LedgerAccount;
  readonly credit: LedgerAccount;
  /** How often it was moved before. */
  readonly moves: number;
}

/** An entry, or a wallet that was registered, says otherwise what a booked transfer is: the balances end the same. */
export function identificationOf({ id, value, blockTime, debit, credit, moves }: Reclaimed): Journal {
  return journalOf({
    kind: 'identification',
    source: `transfer:${id}`,
    occurredAt: blockTime,
    debit,
    credit,
    amount: value,
    nth: moves,
  });
}

/** What the wallet held at the start: nothing to write when it was empty. */
export function journalsOfOpening(opening: {
  readonly network: string;
  readonly asset: TokenCode;
  readonly payTo: string;
  readonly balance: bigint;
  readonly at: Date;
}): readonly Journal[] {
  const { network, asset, payTo, balance, at } = opening;
  if (balance === 0n) return [];
  const wallet = cash(network, payTo, asset);
  const source = `opening:${wallet.code}`;
  return [
    journalOf({
      kind: 'opening',
      source,
      occurredAt: at,
      debit: wallet,
      credit: openingBalance(asset),
      amount: balance,
    }),
  ];
}

function present(value: string | null): string {
  if (value === null) throw new TypeError('a booked call must say whose it is');
  return value;
}
