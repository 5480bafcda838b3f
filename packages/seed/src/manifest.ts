import type { Jwks } from '@keyfare/core/receipt';
import type { HistoryOptions } from './options.js';

/** A break that a reconciliation of the history must find. */
export interface ExpectedBreak {
  /** As in docs/breaks.md. */
  readonly class: string;
  /** What it is about: members of the break's own `keys`. */
  readonly keys: Readonly<Record<string, string>>;
  readonly asset: string | null;
  /** In the smallest units; null where a break of the class has none. */
  readonly amount: string | null;
  /** `planted`: something was falsified. `business`: it came of the history itself, as refunds do. */
  readonly kind: 'planted' | 'business';
  /** What was done. */
  readonly how: string;
}

/** What was made, and what a reader of it must find. */
export interface Manifest {
  readonly version: 1;
  readonly options: Required<HistoryOptions>;
  /** The first instant, and the one after the last. */
  readonly from: string;
  readonly until: string;
  readonly network: 'base-sepolia';
  readonly payTo: string;
  /** The public keys of the receipts. */
  readonly jwks: Jwks;
  readonly accounts: readonly { readonly name: string; readonly id: string }[];
  /** Calls that were served, by rail and flow. */
  readonly served: Readonly<Record<string, number>>;
  /** Calls that the gate refused, by the code of the problem. */
  readonly refused: Readonly<Record<string, number>>;
  /** Entries of the log by kind. */
  readonly entries: Readonly<Record<string, number>>;
  readonly breaks: readonly ExpectedBreak[];
  /** Classes that nothing outside of billing can bring about, with the reason. */
  readonly notPlanted: Readonly<Record<string, string>>;
  readonly tookSeconds: number;
}
