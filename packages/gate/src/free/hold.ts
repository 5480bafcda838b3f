import type { FreeCalls } from '@keyfare/core/metering';
import type { Period } from '@keyfare/core/time';

/** Who is counted: a wallet or a network address, and of what. */
export interface FreeCaller {
  readonly sku: string;
  readonly free: FreeCalls;
  /** A lower-case wallet, or an IPv4 address or the /64 of an IPv6 one. */
  readonly caller: string;
}

/** A free call of one caller, set aside until it is posted or given back. */
export interface FreeHold {
  readonly rail: 'free';
  readonly exchangeId: string;
  /** Which the entry and the receipt name: the wallet, or `anonymous`. */
  readonly principal: string;
  readonly allowance: FreeAllowance;
}

/** What a caller has left of its free calls. */
export interface FreeAllowance {
  readonly free: FreeCalls;
  readonly period: Period;
  /** Undefined where it was not asked. */
  readonly remaining: number | undefined;
}
