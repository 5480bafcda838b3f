import type { TokenCode } from '@keyfare/core/money';
import { type Address, findNetwork, type Network, type Token } from '@keyfare/core/x402';
import { multicall3Address } from '@keyfare/evm/settler';
import { z } from 'zod';
import { isTestnet, suffixOf } from './production-config.js';
import { address, ConfigurationError, httpUrl, secretKey } from './setting.js';

/** One network that payments are taken on. */
export interface NetworkSettings {
  readonly network: Network;
  readonly payTo: Address;
  readonly rpcUrl: string;
  readonly settlerKey: `0x${string}`;
  /**
   * Keys of wallets that settled here before: what is under way in them is followed to its end, and nothing new is
   * begun.
   */
  readonly previousSettlerKeys: readonly `0x${string}`[];
  /** Blocks on top of a settlement's, after which it is final. */
  readonly confirmations: number;
  /** The contract that settles many payments in one transaction; null: each has a transaction of its own. */
  readonly batchContract: Address | null;
  /** Payments in one transaction at most. */
  readonly batchSize: number;
  /** Gas of a settlement of one payment; a wallet of code may need more than a key. */
  readonly gasLimit: bigint;
  /** Wei for one gas at most; 0 for no ceiling. */
  readonly maxFeePerGas: bigint;
  /** Wei for one settlement at most; 0 for no ceiling. */
  readonly maxSettlementCost: bigint;
  /** How much of a payment gas may take, in percent; 0: it is not asked. */
  readonly maxCostPercent: bigint;
  /** Atomic units of a token of each currency for one ether, or the chain's own coin. */
  readonly etherPrice: Readonly<Record<Token['currency'], bigint>>;
}

/**
 * How much may be open in deferred payments of one asset, in its atomic units. Those of two assets are never one sum.
 */
export interface OpenLimits {
  /** They are collected when they come to so much. */
  readonly collectAt: bigint;
  /** What one payer may have open; null: no deferred payment is taken in the asset. */
  readonly maxPerPayer: bigint | null;
  /** What all payers may have open together; null as above. */
  readonly maxTotal: bigint | null;
}

/** When deferred payments are collected, and how much may be open. */
export interface DeferredSettings {
  /** For so long a payment is asked to be valid. */
  readonly timeoutSeconds: number;
  /** Collected so long before it runs out, at the latest. */
  readonly marginSeconds: number;
  /** Collected when so many wait, whatever their assets, */
  readonly count: number;
  /** or when those in one asset come to so much, */
  readonly limits: Readonly<Record<TokenCode, OpenLimits>>;
  /** or when one has waited so long. */
  readonly ageMs: number;
  /** How often all of this is looked at. */
  readonly intervalMs: number;
  /** How often the balances of payers with open payments are read. */
  readonly balanceIntervalMs: number;
}

/** The dearest call that may be deferred in an asset: what any payer may have open; null where nothing may be. */
export function dearestDeferred({ maxPerPayer, maxTotal }: OpenLimits): bigint | null {
  if (maxPerPayer === null || maxTotal === null) return null;
  return maxPerPayer < maxTotal ? maxPerPayer : maxTotal;
}

const seconds = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
/** A plain decimal with up to `decimals` digits behind the point, in its smallest units. */
const decimal = (decimals: number, what: string) =>
  z
    .string()
    .regex(new RegExp(`^\\d{1,15}(?:\\.\\d{1,${decimals}})?$`), `must be ${what}`)
    .transform((text) => {
      const [whole = '0', fraction = ''] = text.split('.');
      return BigInt(whole + fraction.padEnd(decimals, '0'));
    });
const dollars = decimal(6, 'a plain decimal of dollars, such as 2.50');
const euros = decimal(6, 'a plain decimal of euros, such as 2.50');
const gwei = decimal(9, 'a plain decimal of gwei, such as 50');
const ether = decimal(18, 'a plain decimal of ether, such as 0.002');

/** Private keys with commas between them. */
const secretKeys = z.string().transform((text, context): readonly `0x${string}`[] => {
  const keys = text.split(',').map((key) => secretKey.safeParse(key.trim()));
  if (keys.every(({ success }) => success)) return keys.flatMap(({ data }) => data ?? []);
  context.addIssue({
    code: 'custom',
    message: 'must be private keys with commas between them: 0x and 64 hex digits each',
  });
  return z.NEVER;
});

const contractOrNone = z.string().transform((text, context): Address | 'none' => {
  if (text === 'none') return text;
  const { data, error } = address.safeParse(text);
  if (data !== undefined) return data;
  context.addIssue({ code: 'custom', message: error?.issues[0]?.message ?? 'must be an address, or none' });
  return z.NEVER;
});

const perNetwork = {
  SETTLER_PREVIOUS_KEYS: secretKeys.default([]),
  CONFIRMATIONS: z.coerce.number().int().min(0).max(10_000).optional(),
  BATCH_CONTRACT: contractOrNone.optional(),
  BATCH_SIZE: z.coerce.number().int().min(1).max(200).default(100),
  SETTLEMENT_GAS_LIMIT: z.coerce.number().int().min(60_000).max(10_000_000).default(150_000),
  MAX_GAS_PRICE_GWEI: gwei.optional(),
  MAX_SETTLEMENT_COST_ETHER: ether.optional(),
  MAX_GAS_PERCENT: z.coerce.number().int().min(0).max(10_000).optional(),
  ETHER_PRICE_USD: dollars.default(4_000_000_000n),
  ETHER_PRICE_EUR: euros.default(4_000_000_000n),
};

/** The part of the environment that concerns payments; those of a network may have its name at their end. */
export const paymentEnvironment = {
  NETWORKS: z.string().optional(),
  ...perNetwork,
  DEFERRED_TIMEOUT_SECONDS: seconds(60, 86_000).default(3_600),
  DEFERRED_MARGIN_SECONDS: seconds(10, 43_000).default(300),
  DEFERRED_COUNT: z.coerce.number().int().min(1).max(10_000).default(100),
  DEFERRED_AMOUNT_USD: dollars.default(10_000_000n),
  DEFERRED_AMOUNT_EUR: euros.default(10_000_000n),
  DEFERRED_AGE_SECONDS: seconds(1, 86_000).default(300),
  DEFERRED_INTERVAL_MS: z.coerce.number().int().min(20).max(600_000).default(1_000),
  BALANCE_INTERVAL_MS: z.coerce.number().int().min(20).max(600_000).default(10_000),
  MAX_OPEN_PER_PAYER_USD: dollars.default(1_000_000n),
  MAX_OPEN_TOTAL_USD: dollars.default(100_000_000n),
  MAX_OPEN_PER_PAYER_EUR: euros.optional(),
  MAX_OPEN_TOTAL_EUR: euros.optional(),
};

/** From the parsed environment. */
export function readDeferred(values: z.infer<z.ZodObject<typeof paymentEnvironment>>): DeferredSettings {
  return {
    timeoutSeconds: values.DEFERRED_TIMEOUT_SECONDS,
    marginSeconds: values.DEFERRED_MARGIN_SECONDS,
    count: values.DEFERRED_COUNT,
    limits: {
      USDC: {
        collectAt: values.DEFERRED_AMOUNT_USD,
        maxPerPayer: values.MAX_OPEN_PER_PAYER_USD,
        maxTotal: values.MAX_OPEN_TOTAL_USD,
      },
      EURC: {
        collectAt: values.DEFERRED_AMOUNT_EUR,
        maxPerPayer: values.MAX_OPEN_PER_PAYER_EUR ?? null,
        maxTotal: values.MAX_OPEN_TOTAL_EUR ?? null,
      },
    },
    ageMs: values.DEFERRED_AGE_SECONDS * 1_000,
    intervalMs: values.DEFERRED_INTERVAL_MS,
    balanceIntervalMs: values.BALANCE_INTERVAL_MS,
  };
}

const shape = z.object({ PAY_TO: address, RPC_URL: httpUrl, SETTLER_PRIVATE_KEY: secretKey, ...perNetwork });
/** The settings that may have the name of a network at their end. */
export const networkSettings: readonly string[] = Object.keys(shape.shape);

/**
 * Every network that payments are taken on: `NETWORK`, then those of `NETWORKS`. Of each but the first, every setting
 * may have the network's name at its end (`RPC_URL_BASE`, `PAY_TO_SEI_TESTNET`), and `RPC_URL` must. Faults of the
 * settings without a name are left to who reads these. Throws a `ConfigurationError` with all the others.
 */
export function readNetworks(env: NodeJS.ProcessEnv): readonly NetworkSettings[] {
  const faults: string[] = [];
  const first = findNetwork(env['NETWORK'] ?? 'base-sepolia');
  const names = (env['NETWORKS'] ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
  const further = names.flatMap((name) => {
    const found = findNetwork(name);
    if (found === null) faults.push(`NETWORKS names ${JSON.stringify(name)}, on which no payments are taken`);
    return found === null || found === first ? [] : [found];
  });
  const all = first === null ? further : [first, ...further];
  const read = [...new Set(all)].flatMap((network) => {
    const suffix = suffixOf(network);
    const given = Object.fromEntries(
      Object.keys(shape.shape).map((name) => {
        const shared = name === 'RPC_URL' && network !== first ? undefined : env[name];
        return [name, env[`${name}${suffix}`] ?? shared];
      }),
    );
    const parsed = shape.safeParse(given);
    if (parsed.success) return [settingsOf(network, parsed.data)];
    for (const { path, message } of parsed.error.issues) {
      const name = path.join('.');
      const own = env[`${name}${suffix}`] !== undefined || (name === 'RPC_URL' && network !== first);
      if (own) faults.push(`${name}${suffix} ${env[`${name}${suffix}`] === undefined ? 'is missing' : message}`);
    }
    return [];
  });
  if (faults.length > 0) throw new ConfigurationError(faults);
  return read;
}

function settingsOf(network: Network, values: z.infer<typeof shape>): NetworkSettings {
  const isPlay = isTestnet(network);
  const { BATCH_CONTRACT: batch = multicall3Address } = values;
  return {
    network,
    payTo: values.PAY_TO,
    rpcUrl: values.RPC_URL,
    settlerKey: values.SETTLER_PRIVATE_KEY,
    previousSettlerKeys: values.SETTLER_PREVIOUS_KEYS.filter((key) => key !== values.SETTLER_PRIVATE_KEY),
    confirmations: values.CONFIRMATIONS ?? (isPlay ? 2 : 12),
    batchContract: batch === 'none' ? null : batch,
    batchSize: values.BATCH_SIZE,
    gasLimit: BigInt(values.SETTLEMENT_GAS_LIMIT),
    maxFeePerGas: values.MAX_GAS_PRICE_GWEI ?? (isPlay ? 0n : 200_000_000_000n),
    maxSettlementCost: values.MAX_SETTLEMENT_COST_ETHER ?? 0n,
    maxCostPercent: BigInt(values.MAX_GAS_PERCENT ?? (isPlay ? 0 : 100)),
    etherPrice: { USD: values.ETHER_PRICE_USD, EUR: values.ETHER_PRICE_EUR },
  };
}
