import { Problem } from '../problem/index.js';

/** The tokens that payers pay in, by their symbols. */
export const tokenCodes = ['USDC', 'EURC'] as const;

/** A token that payers pay in. */
export type TokenCode = (typeof tokenCodes)[number];

/** The assets we count: `USD` in micro-dollars, tokens in their own decimals. */
export const assetCodes = ['USD', ...tokenCodes] as const;

/** An asset that we count. */
export type AssetCode = (typeof assetCodes)[number];

/** What a ledger counts: what we do, and the coin of the networks, in wei, which gas is paid in. */
export const ledgerAssetCodes = [...assetCodes, 'ETH'] as const;

/** An asset of a ledger. Nothing is priced or paid in ETH. */
export type LedgerAssetCode = (typeof ledgerAssetCodes)[number];

/** A count of the asset's smallest unit. It never becomes a `number`; negative only as a difference or a credit. */
export interface Money<Asset extends LedgerAssetCode = AssetCode> {
  readonly asset: Asset;
  readonly atomic: bigint;
}

/** How many decimals the smallest unit of each asset stands for. Fixed for ever. */
export const decimalsOf: Readonly<Record<LedgerAssetCode, number>> = Object.freeze({
  USD: 6,
  USDC: 6,
  EURC: 6,
  ETH: 18,
});

/** The sign that a price in each of these assets is written with. */
export const signOf: Readonly<Record<PriceAsset, string>> = Object.freeze({ USD: '$', EURC: '€' });

/** What prices are told in: dollars, which are taken in USDC one for one, or euros, which are taken in EURC. */
export type PriceAsset = Exclude<AssetCode, 'USDC'>;

// 72 integer digits and 6 decimals make 78 atomic digits: what a column numeric(78,0) holds.
const decimal = /^(0|[1-9]\d{0,71})(?:\.(\d+))?$/;
const longest = 80;

/** `atomic` smallest units of `asset`. Total. */
export function money<Asset extends LedgerAssetCode>(asset: Asset, atomic: bigint): Money<Asset> {
  return { asset, atomic };
}

/**
 * Exactly the amount that the decimal `text` says, such as `0.001`. Refuses a sign, an exponent, leading zeros, more
 * decimals than the asset has, and anything else that would need a guess: Problem `money/malformed`.
 */
export function parseMoney(asset: AssetCode, text: string): Money {
  const match = text.length <= longest ? decimal.exec(text) : null;
  if (match === null) {
    throw new Problem('money/malformed', 'The amount must be a plain decimal such as 0.001, without sign or exponent.');
  }
  const decimals = decimalsOf[asset];
  const [, whole = '', fraction = ''] = match;
  if (fraction.length > decimals) {
    throw new Problem('money/malformed', `An amount of ${asset} has at most ${decimals} decimals.`);
  }
  return money(asset, BigInt(whole + fraction.padEnd(decimals, '0')));
}

/**
 * The price that `text` says: `$0.001` is one of `USD`, `€0.001` one of `EURC`. Refuses the sign of another asset, for
 * no price is converted, and any other form: Problem `money/malformed`.
 */
export function parsePrice(text: string, asset: PriceAsset = 'USD'): Money {
  const sign = signOf[asset];
  if (!text.startsWith(sign)) {
    throw new Problem('money/malformed', `A price in ${asset} is written with its sign, such as ${sign}0.001.`);
  }
  return parseMoney(asset, text.slice(sign.length));
}

/** The decimal text of `amount` with all the decimals of its asset: `0.001000`. Total. */
export function formatMoney(amount: Money<LedgerAssetCode>): string {
  const decimals = decimalsOf[amount.asset];
  const sign = amount.atomic < 0n ? '-' : '';
  const digits = magnitude(amount.atomic)
    .toString()
    .padStart(decimals + 1, '0');
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** The absolute value of `atomic`. */
export function magnitude(atomic: bigint): bigint {
  return atomic < 0n ? -atomic : atomic;
}
