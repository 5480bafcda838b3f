import type { Rail } from '@keyfare/core/metering';
import type { AssetCode } from '@keyfare/core/money';

/** What an account is, which says on which side of a balance sheet or income statement it stands. */
export type AccountType = 'asset' | 'liability' | 'equity' | 'income' | 'expense';

/** One account of the ledger. It counts one asset, in its smallest unit. */
export interface LedgerAccount {
  readonly code: string;
  readonly asset: AssetCode;
  readonly type: AccountType;
}

/** What a customer has used beyond the plan and was not invoiced for yet. */
export function unbilledReceivable(account: string): LedgerAccount {
  return { code: `unbilled-receivable:${account}`, asset: 'USD', type: 'asset' };
}

/** What calls of a product earned. A customer's is in dollars, a wallet's in the USDC it paid. */
export function revenue(rail: Rail, sku: string): LedgerAccount {
  return { code: `revenue:${rail}:${sku}`, asset: rail === 'x402' ? 'USDC' : 'USD', type: 'income' };
}

/** Payments that the API recorded as settled and whose transfer the chain has not shown yet. */
export function x402Receivable(network: string): LedgerAccount {
  return { code: `x402-receivable:${network}`, asset: 'USDC', type: 'asset' };
}

/** Calls that were served on credit, whose payments the chain has not shown and nobody has given up. */
export function deferredReceivable(network: string): LedgerAccount {
  return { code: `deferred-receivable:${network}`, asset: 'USDC', type: 'asset' };
}

/** Calls that were served on credit and cannot be collected. */
export const uncollected: LedgerAccount = { code: 'uncollected', asset: 'USDC', type: 'expense' };

/** Money that came in for calls that were not served, and is owed back. */
export const refundsDue: LedgerAccount = { code: 'refunds-due', asset: 'USDC', type: 'liability' };

/** The wallet that payments go to, as its transfers add up. */
export function cash(network: string, payTo: string): LedgerAccount {
  return { code: `usdc:${network}:${payTo}`, asset: 'USDC', type: 'asset' };
}

/** Money that came in and that no entry explains, until one does. */
export const unidentifiedReceipts: LedgerAccount = { code: 'unidentified-receipts', asset: 'USDC', type: 'liability' };

/** Money that was sent on from the wallet. */
export const treasuryOut: LedgerAccount = { code: 'treasury-out', asset: 'USDC', type: 'equity' };

/** What the wallet held before the first block that was read. */
export const openingBalance: LedgerAccount = { code: 'opening-balance', asset: 'USDC', type: 'equity' };
