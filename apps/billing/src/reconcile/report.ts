import {
  assetCodes,
  formatMoney,
  type LedgerAssetCode,
  ledgerAssetCodes,
  money,
  tokenCodes,
} from '@keyfare/core/money';
import { z } from 'zod';

const count = z.int().nonnegative();
/** A decimal amount, such as `0.001000`. */
const amount = z.string().regex(/^-?\d+\.\d{6}$/);
const asset = z.enum(assetCodes);

/** A wallet, up to the block that was read last. */
const walletFigures = z.object({
  wallet: z.string(),
  block: z.string().nullable(),
  finalized: z.string().nullable(),
  opening: amount.nullable(),
  in: amount,
  out: amount,
  explained: amount.nullable(),
  /** What the chain says that it holds, when it could be asked. */
  balance: amount.nullable(),
});

const payments = z.array(z.object({ status: z.string(), count, recorded: amount, settled: amount }));
const sum = z.object({ count, amount });

/** See `ReconciliationReport`. */
export type WalletFigures = z.infer<typeof walletFigures>;

/** What one run found: the two sides of everything that is compared, and the breaks that are open after it. */
export const reconciliationReport = z
  .object({
    /** How far the log was read. Not complete when a place in the log, or a key, was still waited for. */
    entries: z.object({
      complete: z.boolean(),
      place: z.string(),
      good: count,
      bad: count,
    }),
    /** Rated calls and what they come to. */
    calls: z.array(z.object({ rail: z.enum(['key', 'x402', 'free']), count, units: z.string(), asset, amount })),
    /** Payments in USDC by what entries and chain say of them together. */
    payments,
    /** In USDC. */
    unpaid: sum,
    /** Money that came in for calls that were not served, in USDC. */
    refundsDue: sum,
    /**
     * What the configured wallet has in USDC, and the others of its network: further payees, and those that were
     * configured before it.
     */
    chain: walletFigures.extend({
      state: z.enum(['current', 'behind', 'unavailable', 'rewritten', 'diverged']),
      network: z.string(),
      earlier: z.array(walletFigures),
    }),
    /**
     * The same of every other token of which the books know anything; left out where there is none. Amounts of two
     * tokens are never one sum.
     */
    otherTokens: z
      .array(
        z.object({
          asset: z.enum(tokenCodes),
          payments,
          unpaid: sum,
          refundsDue: sum,
          wallets: z.array(walletFigures),
        }),
      )
      .optional(),
    /** The ledger's balances by the type of account: debits less credits. Each asset sums to zero. */
    ledger: z.array(z.object({ asset: z.enum(ledgerAssetCodes), type: z.string(), balance: z.string() })),
    /** Open breaks by class. */
    breaks: z.array(z.object({ class: z.string(), asset: asset.nullable(), count, amount: amount.nullable() })),
    /** Classes that could not be looked for: their breaks stay as they were. */
    unchecked: z.array(z.string()),
  })
  .meta({ id: 'ReconciliationReport' });

export type ReconciliationReport = z.infer<typeof reconciliationReport>;

/** The decimal text of an amount that the database gives as text; null stays null. */
export function decimal<T extends string | null>(assetCode: LedgerAssetCode, atomic: T): T extends null ? null : string;
export function decimal(assetCode: LedgerAssetCode, atomic: string | null): string | null {
  return atomic === null ? null : formatMoney(money(assetCode, BigInt(atomic)));
}
