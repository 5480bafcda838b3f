import type { Clock } from '@keyfare/core/time';
import type { HostPool } from '@keyfare/db/host-pool';
import type { DataSource } from 'typeorm';

/** What the gate needs of one network to take payments there. What an entry leaves out is the option of that name. */
export interface NetworkOptions {
  /** Name or CAIP-2 identifier: `base`, `eip155:8453`. */
  readonly network: string;
  /** A node of that network. `RPC_URL`; required of each network. */
  readonly rpcUrl?: string;
  /** The address that payments go to. `PAY_TO` */
  readonly payTo?: string;
  /** The wallet that sends settlements and pays their gas: 0x and 64 hex digits. `SETTLER_PRIVATE_KEY` */
  readonly settlerPrivateKey?: string;
  /** Keys of settlers before it, until what is under way in them is final. `SETTLER_PREVIOUS_KEYS` @default [] */
  readonly settlerPreviousKeys?: readonly string[];
  /** Blocks after which a settlement is final. `CONFIRMATIONS` @default 2 on test networks, 12 elsewhere */
  readonly confirmations?: number;
  /** Settles many payments in one transaction; `none` for none. `BATCH_CONTRACT` @default Multicall3 */
  readonly batchContract?: string;
  /** Payments in one transaction at most. `BATCH_SIZE` @default 100 */
  readonly batchSize?: number;
  /** Gas of a settlement of one payment. `SETTLEMENT_GAS_LIMIT` @default 150_000 */
  readonly settlementGasLimit?: number;
  /**
   * The most for one gas, a plain decimal; `0`: no ceiling. `MAX_GAS_PRICE_GWEI` @default '200', '0' on test networks
   */
  readonly maxGasPriceGwei?: string;
  /** The most for one settlement, a plain decimal; `0`: no ceiling. `MAX_SETTLEMENT_COST_ETHER` @default '0' */
  readonly maxSettlementCostEther?: string;
  /** How much of a payment gas may take; 0: it is not asked. `MAX_GAS_PERCENT` @default 100, 0 on test networks */
  readonly maxGasPercent?: number;
  /** The price of the chain's own coin, a plain decimal. `ETHER_PRICE_USD` @default '4000' */
  readonly etherPriceUsd?: string;
  /** The same in euros, for payments in EURC. `ETHER_PRICE_EUR` @default '4000' */
  readonly etherPriceEur?: string;
}

/** A secret outside the database that API keys are hashed with. */
export interface PepperOptions {
  /** Up to 32 of a–z, 0–9 and `-`. It stands beside each hash. */
  readonly id: string;
  /** At least 32 random bytes in base64url. */
  readonly secret: string;
}

/** Every setting of the environment, by its name in camel case. An option wins over its variable. */
export interface SettingOptions extends Omit<NetworkOptions, 'network'> {
  /** Where payments are taken: name or CAIP-2 identifier. `NETWORK` @default 'base-sepolia' */
  readonly network?: string;
  /**
   * The networks that payments are taken on, the default one first; instead of `network`. `NETWORKS` @default `network`
   * alone
   */
  readonly networks?: readonly NetworkOptions[];
  /**
   * `postgres://…`, of a login with the role `keyfare_gate`. `DATABASE_URL`; required unless `pool` or `dataSource` is
   * given.
   */
  readonly databaseUrl?: string;
  /**
   * The server itself, where the calls go through a pooler in transaction mode: for what needs a session of its own.
   * `DIRECT_DATABASE_URL` @default none: there is no pooler
   */
  readonly directDatabaseUrl?: string;
  /** A login that may change the schema. `MIGRATION_DATABASE_URL` @default that of the calls */
  readonly migrationDatabaseUrl?: string;
  /**
   * Whether the start brings the schema up to date; if not, it is refused while the schema is behind. `MIGRATE`
   * @default true
   */
  readonly migrate?: boolean;
  /**
   * What callers put in front of the paths that the gate sees: an origin, and the path that a proxy takes away. It
   * stands in offers, receipts and the issuer's `did:web`. `PUBLIC_URL`; required in production. @default
   * 'http://localhost:3000'
   */
  readonly publicUrl?: string;
  /**
   * The path that a proxy adds to what callers ask, so that it stands in no offer or receipt. `MOUNT_PATH` @default
   * none
   */
  readonly mountPath?: string;
  /** Origins whose pages may call; `*` for any, `none` leaves it to the host. `CORS_ORIGINS` @default 'none' */
  readonly corsOrigins?: '*' | 'none' | readonly string[];
  /** The same for the routes of operators. `OPERATOR_CORS_ORIGINS` @default 'none' */
  readonly operatorCorsOrigins?: '*' | 'none' | readonly string[];
  /** How long a node may take to answer. `RPC_TIMEOUT_MS` @default 3_000 */
  readonly rpcTimeoutMs?: number;
  /** JSON-RPC calls in one HTTP request at most. `RPC_BATCH_CALLS` @default 300 */
  readonly rpcBatchCalls?: number;
  /** Ed25519, PKCS#8 PEM. `RECEIPT_SIGNING_KEY`; required. */
  readonly receiptSigningKey?: string;
  /** The current one first. `API_KEY_PEPPERS`; required. */
  readonly apiKeyPeppers?: readonly PepperOptions[];
  /** Ids of peppers that are to go: secrets under them are hashed anew when used. `RETIRING_PEPPERS` @default [] */
  readonly retiringPeppers?: readonly string[];
  /** Keys issued and accepted here; those of the other environment are 401. `KEY_ENVIRONMENT` @default 'test' */
  readonly keyEnvironment?: 'live' | 'test';
  /** How long a payment is asked to be valid. `MAX_TIMEOUT_SECONDS` @default 120 */
  readonly maxTimeoutSeconds?: number;
  /** How long a caller waits for the chain. `SETTLE_TIMEOUT_MS` @default 30_000 */
  readonly settleTimeoutMs?: number;
  /** When higher fees are offered for a transaction that is not mined. `REPLACE_AFTER_MS` @default 60_000 */
  readonly replaceAfterMs?: number;
  /** How long a priced handler may take. `HANDLER_TIMEOUT_MS` @default 30_000 */
  readonly handlerTimeoutMs?: number;
  /** Larger answers to paid calls are served once and not stored. `ANSWER_MAX_BYTES` @default 1_048_576 */
  readonly answerMaxBytes?: number;
  /** How long answers to paid calls are kept for their owners. `ANSWER_MAX_AGE_SECONDS` @default 86_400 */
  readonly answerMaxAgeSeconds?: number;
  /** How long an answer that never arrived is kept without an owner. `ANSWER_RETRY_SECONDS` @default 300 */
  readonly answerRetrySeconds?: number;
  /** How long a key is trusted without another look. `KEY_CACHE_MAX_AGE_MS` @default 5_000 */
  readonly keyCacheMaxAgeMs?: number;
  /** When a process that shows no sign of life counts as dead. `REPLICA_TTL_MS` @default 5_000 */
  readonly replicaTtlMs?: number;
  /** An operator's session ends when nothing was done for so long. `SESSION_IDLE_SECONDS` @default 1_800 */
  readonly sessionIdleSeconds?: number;
  /** An operator's session ends after so long in any case. `SESSION_MAX_SECONDS` @default 43_200 */
  readonly sessionMaxSeconds?: number;
  /** Refused payments of unknown payers each second, from one address. `REFUSED_PAYMENTS_PER_ADDRESS` @default 50 */
  readonly refusedPaymentsPerAddress?: number;
  /** The same, in total. `REFUSED_PAYMENTS_TOTAL` @default 200 */
  readonly refusedPaymentsTotal?: number;
  /** With gas for fewer settlements than this a settler counts as low. `SETTLER_LOW_SETTLEMENTS` @default 500 */
  readonly settlerLowSettlements?: number;
  /** How long a deferred payment is asked to be valid. `DEFERRED_TIMEOUT_SECONDS` @default 3_600 */
  readonly deferredTimeoutSeconds?: number;
  /** How long before its end a deferred payment is collected at the latest. `DEFERRED_MARGIN_SECONDS` @default 300 */
  readonly deferredMarginSeconds?: number;
  /** Deferred payments are collected when so many wait. `DEFERRED_COUNT` @default 100 */
  readonly deferredCount?: number;
  /** Or for so much, a plain decimal. `DEFERRED_AMOUNT_USD` @default '10' */
  readonly deferredAmountUsd?: string;
  /** The same in EURC, a plain decimal. `DEFERRED_AMOUNT_EUR` @default '10' */
  readonly deferredAmountEur?: string;
  /** Or when one is so old. `DEFERRED_AGE_SECONDS` @default 300 */
  readonly deferredAgeSeconds?: number;
  /** How often that is looked at. `DEFERRED_INTERVAL_MS` @default 1_000 */
  readonly deferredIntervalMs?: number;
  /** How often the balances of payers with open payments are read. `BALANCE_INTERVAL_MS` @default 10_000 */
  readonly balanceIntervalMs?: number;
  /** What one payer may have open, a plain decimal. `MAX_OPEN_PER_PAYER_USD` @default '1' */
  readonly maxOpenPerPayerUsd?: string;
  /** What all payers may have open together, a plain decimal. `MAX_OPEN_TOTAL_USD` @default '100' */
  readonly maxOpenTotalUsd?: string;
  /** As `maxOpenPerPayerUsd`, in EURC. `MAX_OPEN_PER_PAYER_EUR` @default none: EURC is not deferred */
  readonly maxOpenPerPayerEur?: string;
  /** As `maxOpenTotalUsd`, in EURC. `MAX_OPEN_TOTAL_EUR` @default none: EURC is not deferred */
  readonly maxOpenTotalEur?: string;
}

/**
 * What a host says of its gate. A setting that it leaves out comes from the environment; an unknown option is a fault.
 */
export interface GateOptions extends SettingOptions {
  /**
   * Where settings without an option come from; `false`: from nowhere, so that two gates in one process share nothing.
   * What `NODE_ENV` says of the process counts all the same. @default process.env
   */
  readonly env?: NodeJS.ProcessEnv | false;
  /**
   * A pool of `pg`, for the statements of calls. The gate never closes it, and opens a few more connections with its
   * options: heartbeat, listener, lists, operators. @default a pool of the gate's own, to `databaseUrl`
   */
  readonly pool?: HostPool;
  /** As `pool`: the pool of an initialized TypeORM data source. @default none */
  readonly dataSource?: DataSource;
  /** The tests' clock. @default the machine's */
  readonly clock?: Clock;
}
