import type { Rail } from '@keyfare/core/metering';
import type { AssetCode, LedgerAssetCode, TokenCode } from '@keyfare/core/money';

/** What an account is, which says on which side of a balance sheet or income statement it stands. */
export type AccountType = 'asset' | 'liability' | 'equity' | 'income' | 'expense';

/** One account of the ledger. It counts one asset, in its smallest unit. */
export interface LedgerAccount {
  readonly code: string;
  readonly asset: LedgerAssetCode;
  readonly type: AccountType;
}

/** What a customer has used beyond the plan and was not invoiced for yet. */
export function unbilledReceivable(account: string): LedgerAccount {
  return { code: `unbilled-receivable:${account}`, asset: 'USD', type: 'asset' };
}

/** What calls of a product earned. A customer's is in dollars, a wallet's in what it paid. */
export function revenue(rail: Rail, sku: string, asset: AssetCode): LedgerAccount {
  return { code: `revenue${suffix(asset)}:${rail}:${sku}`, asset, type: 'income' };
}

/** Payments that the API recorded as settled and whose transfer the chain has not shown yet. */
export function x402Receivable(network: string, asset: TokenCode): LedgerAccount {
  return { code: `x402-receivable${suffix(asset)}:${network}`, asset, type: 'asset' };
}

/** Calls that were served on credit, whose payments the chain has not shown and nobody has given up. */
export function deferredReceivable(network: string, asset: TokenCode): LedgerAccount {
  return { code: `deferred-receivable${suffix(asset)}:${network}`, asset, type: 'asset' };
}

/** Calls that were served on credit and cannot be collected. */
export function uncollected(asset: TokenCode): LedgerAccount {
  return { code: `uncollected${suffix(asset)}`, asset, type: 'expense' };
}

/** Money that came in for calls that were not served, and is owed back. */
export function refundsDue(asset: TokenCode): LedgerAccount {
  return { code: `refunds-due${suffix(asset)}`, asset, type: 'liability' };
}

/** What the wallet that payments go to holds of a token, as its transfers add up. */
export function cash(network: string, payTo: string, asset: TokenCode): LedgerAccount {
  return { code: `${asset.toLowerCase()}:${network}:${payTo}`, asset, type: 'asset' };
}

/** Money that came in and that no entry explains, until one does. */
export function unidentifiedReceipts(asset: TokenCode): LedgerAccount {
  return { code: `unidentified-receipts${suffix(asset)}`, asset, type: 'liability' };
}

/** Money that was sent on from the wallet. */
export function treasuryOut(asset: TokenCode): LedgerAccount {
  return { code: `treasury-out${suffix(asset)}`, asset, type: 'equity' };
}

/** What the wallet held before the first block that was read. */
export function openingBalance(asset: TokenCode): LedgerAccount {
  return { code: `opening-balance${suffix(asset)}`, asset, type: 'equity' };
}

/** Tokens that have left one wallet of ours and that the reading of the other has not shown yet. */
export function inTransit(network: string, asset: TokenCode): LedgerAccount {
  return { code: `in-transit${suffix(asset)}:${network}`, asset, type: 'asset' };
}

/** Tokens in our wallets that are another service's, by the wallet that it is known by. */
export function otherService(network: string, wallet: string, asset: TokenCode): LedgerAccount {
  return { code: `other-service${suffix(asset)}:${network}:${wallet}`, asset, type: 'liability' };
}

/** Amounts too small to ask whose they are, which anybody may send to anybody. */
export function dust(network: string, asset: TokenCode): LedgerAccount {
  return { code: `dust${suffix(asset)}:${network}`, asset, type: 'liability' };
}

/** What a wallet of ours holds of the network's own coin, in wei, as far as gas and readings of its balance tell. */
export function coin(network: string, wallet: string): LedgerAccount {
  return { code: `eth:${network}:${wallet}`, asset: 'ETH', type: 'asset' };
}

/** What transactions of ours have cost. */
export function gas(network: string): LedgerAccount {
  return { code: `gas:${network}`, asset: 'ETH', type: 'expense' };
}

/** What was put into the wallets that pay for gas, from where the books do not know. */
export function gasFunding(network: string): LedgerAccount {
  return { code: `gas-funding:${network}`, asset: 'ETH', type: 'equity' };
}

/** What those wallets held when they were first looked at. */
export function openingCoin(network: string): LedgerAccount {
  return { code: `opening-balance-eth:${network}`, asset: 'ETH', type: 'equity' };
}

/** Money that came in for nothing, and was kept: gifts, and what finance decided to keep. */
export function otherIncome(asset: TokenCode): LedgerAccount {
  return { code: `other-income${suffix(asset)}`, asset, type: 'income' };
}

/** What a bank account of ours holds, as its statements add up. */
export function bank(account: string): LedgerAccount {
  return { code: `bank:${account}`, asset: 'USD', type: 'asset' };
}

/** What was taken in one of the two assets for the other, USDC for dollars: the two sides mirror each other. */
export function conversion(asset: 'USD' | 'USDC'): LedgerAccount {
  return { code: `conversion:${asset.toLowerCase()}`, asset, type: 'equity' };
}

/** Money that came in at a bank and that nobody has said yet what for; what went out stands against it. */
export function unidentifiedBank(): LedgerAccount {
  return { code: 'unidentified-bank', asset: 'USD', type: 'liability' };
}

/**
 * An account counts one asset, so each token has accounts of its own. It stands in the first part of the code, which no
 * sku, network or wallet can reach into. USDC has none: its accounts are older than the second token.
 */
function suffix(asset: AssetCode): string {
  return asset === 'USD' || asset === 'USDC' ? '' : `-${asset.toLowerCase()}`;
}

/** What a customer was invoiced and has not paid. */
export function customerReceivable(customer: string): LedgerAccount {
  return { code: `receivable:${customer}`, asset: 'USD', type: 'asset' };
}

/** Fees of plans that a customer was invoiced, for days that nothing was earned for yet. */
export function deferredRevenue(customer: string): LedgerAccount {
  return { code: `deferred-revenue:${customer}`, asset: 'USD', type: 'liability' };
}

/** What the fees of a plan earned. */
export function planRevenue(slug: string): LedgerAccount {
  return { code: `revenue:plan:${slug}`, asset: 'USD', type: 'income' };
}

/** What customers were invoiced because they used less than they had committed to. */
export const commitRevenue: LedgerAccount = { code: 'revenue:commit', asset: 'USD', type: 'income' };

/** What an account was invoiced ahead, and has not used yet. */
export function prepaid(account: string): LedgerAccount {
  return { code: `prepaid:${account}`, asset: 'USD', type: 'liability' };
}

/** Tax of a code that was invoiced, and is the state's. */
export function taxPayable(code: string): LedgerAccount {
  return { code: `tax-payable:${code}`, asset: 'USD', type: 'liability' };
}

/** What a customer paid beyond what is to be paid, or has back from what was. */
export function customerCredit(customer: string): LedgerAccount {
  return { code: `customer-credit:${customer}`, asset: 'USD', type: 'liability' };
}

/** Between micro-dollars and the cents of an invoice. */
export const rounding: LedgerAccount = { code: 'rounding', asset: 'USD', type: 'expense' };

/** Invoices that will not be paid. */
export const badDebt: LedgerAccount = { code: 'bad-debt', asset: 'USD', type: 'expense' };

/** What credit notes took back. */
export const adjustments: LedgerAccount = { code: 'adjustments', asset: 'USD', type: 'expense' };
