import type { gateEnvironment } from './config.js';
import type { proxyEnvironment } from './server/trusted-proxies.js';
import type { watchEnvironment } from './server/watch.js';

/** What the page of settings says of one that its schema does not. The page is written by `scripts/settings.mjs`. */
export interface SettingText {
  /** What it does, for who sets it. */
  readonly text: string;
  /** What its value must be, where the schema holds no range and no list: `postgres:// URL`. */
  readonly shape?: string;
  /** The default as it would be written, where the schema keeps it parsed; the two are compared. */
  readonly fallback?: string;
  /** What holds when it is left out and the schema has no default. */
  readonly absent?: string;
}

/** The gate's settings. A setting without a line here does not compile. */
export const settingTexts: Readonly<Record<keyof typeof gateEnvironment.shape, SettingText>> = {
  PAY_TO: { shape: 'address', text: 'Where payments go. Not the settler’s wallet. Mixed case is checked (EIP-55).' },
  NETWORK: {
    shape: 'network name or CAIP-2 identifier',
    fallback: 'base-sepolia',
    text: 'The network that payments are taken on, unless a route says otherwise.',
  },
  DATABASE_URL: {
    shape: 'postgres:// URL',
    text: 'The program’s own database. A login that is a member of its role, and no more, will do.',
  },
  MIGRATION_DATABASE_URL: {
    shape: 'postgres:// URL',
    absent: '`DATABASE_URL`',
    text: 'The same database, by a login that may change the schema.',
  },
  DIRECT_DATABASE_URL: {
    shape: 'postgres:// URL',
    absent: '`DATABASE_URL`',
    text: 'The same database past a pooler in transaction mode, for what needs a connection of its own.',
  },
  MIGRATE: { text: '`false`: the start changes no schema, and is refused while it is behind.' },
  PUBLIC_URL: {
    shape: 'URL: scheme, host, port and a plain path',
    text:
      'The address that callers use. It stands in offers and receipts. A path in it is one that a proxy takes away ' +
      'before it forwards. Must be set in production.',
  },
  MOUNT_PATH: {
    shape: 'path without a slash at its end',
    text: 'The path that a proxy adds before it forwards. It stands in no offer or receipt.',
  },
  CORS_ORIGINS: {
    shape: '`*`, `none`, or origins with commas',
    fallback: 'none',
    text: 'Whose web pages may call. The API’s default is `*`, for it looks at no cookie; the gate’s own is `none`, which leaves it to the host.',
  },
  OPERATOR_CORS_ORIGINS: {
    shape: '`*`, `none`, or origins with commas',
    fallback: 'none',
    text: 'The same for the routes of operators.',
  },
  RPC_URL: { shape: 'http or https URL', text: 'A node of the network.' },
  RPC_TIMEOUT_MS: { text: 'How long one request to the node may take.' },
  RPC_BATCH_CALLS: { text: 'JSON-RPC calls in one HTTP request at most.' },
  SETTLER_PRIVATE_KEY: {
    shape: 'private key: `0x` and 64 hex digits',
    text: 'The wallet that sends settlements and pays their gas. It never holds customers’ money.',
  },
  NETWORKS: {
    shape: 'network names with commas',
    absent: 'none',
    text: 'Further networks. Each needs `RPC_URL_<NAME>`, such as `RPC_URL_BASE`.',
  },
  SETTLER_PREVIOUS_KEYS: {
    shape: 'private keys with commas',
    text: 'Settlers before this one, until what is under way in them is final.',
  },
  CONFIRMATIONS: {
    absent: '2 on test networks, 12 elsewhere',
    text: 'Blocks on top of a settlement’s after which it is final.',
  },
  BATCH_CONTRACT: {
    shape: 'address, or `none`',
    absent: 'Multicall3',
    text: 'The contract that settles many payments in one transaction.',
  },
  BATCH_SIZE: { text: 'Payments in one transaction at most.' },
  SETTLEMENT_GAS_LIMIT: { text: 'Gas of the settlement of one payment. A wallet of code may need more than a key.' },
  MAX_GAS_PRICE_GWEI: {
    shape: 'decimal, at most 9 digits behind the point',
    absent: '200; on test networks 0',
    text: 'The most that is paid for one gas. 0: no ceiling.',
  },
  MAX_SETTLEMENT_COST_ETHER: {
    shape: 'decimal, at most 18 digits behind the point',
    absent: '0',
    text: 'The most that one settlement may cost. 0: no ceiling.',
  },
  MAX_GAS_PERCENT: {
    absent: '100; on test networks 0',
    text: 'How much of a payment gas may take, in percent. 0: it is not asked.',
  },
  ETHER_PRICE_USD: {
    shape: 'decimal dollars',
    fallback: '4000',
    text: 'The price of the chain’s own coin, for `MAX_GAS_PERCENT`.',
  },
  ETHER_PRICE_EUR: {
    shape: 'decimal euros',
    fallback: '4000',
    text: 'The same for payments in EURC: the two currencies are not converted.',
  },
  DEFERRED_TIMEOUT_SECONDS: { text: 'How long a deferred payment is asked to be valid.' },
  DEFERRED_MARGIN_SECONDS: { text: 'A deferred payment is collected so long before it runs out, at the latest.' },
  DEFERRED_COUNT: { text: 'Deferred payments are collected when there are so many,' },
  DEFERRED_AMOUNT_USD: { shape: 'decimal dollars', fallback: '10', text: 'or when they come to so much,' },
  DEFERRED_AMOUNT_EUR: { shape: 'decimal euros', fallback: '10', text: 'or those in EURC come to so much,' },
  DEFERRED_AGE_SECONDS: { text: 'or when one is so old.' },
  DEFERRED_INTERVAL_MS: { text: 'How often that is looked at.' },
  BALANCE_INTERVAL_MS: { text: 'How often the balances of payers with open payments are read.' },
  MAX_OPEN_PER_PAYER_USD: {
    shape: 'decimal dollars',
    fallback: '1',
    text: 'What one payer may have open in deferred payments: the most that one payer can take unpaid.',
  },
  MAX_OPEN_TOTAL_USD: { shape: 'decimal dollars', fallback: '100', text: 'What all payers may have open together.' },
  MAX_OPEN_PER_PAYER_EUR: {
    shape: 'decimal euros',
    absent: 'EURC is not deferred',
    text: 'As `MAX_OPEN_PER_PAYER_USD`, in EURC. Without it no route may defer payments in EURC.',
  },
  MAX_OPEN_TOTAL_EUR: {
    shape: 'decimal euros',
    absent: 'EURC is not deferred',
    text: 'As `MAX_OPEN_TOTAL_USD`, in EURC. Without it no route may defer payments in EURC.',
  },
  RECEIPT_SIGNING_KEY: {
    shape: 'Ed25519 private key, PKCS#8 PEM',
    text: 'Signs receipts. Make one with `openssl genpkey -algorithm ed25519`.',
  },
  API_KEY_PEPPERS: {
    shape: '`id:secret` pairs with commas, the secrets base64url of 32 bytes or more',
    text: 'What secrets are hashed with, the current one first.',
  },
  RETIRING_PEPPERS: {
    shape: 'ids with commas',
    text: 'Peppers that are to go: secrets under them are hashed anew when they are used.',
  },
  KEY_ENVIRONMENT: { text: 'Which keys are issued and accepted here. Those of the other environment are 401.' },
  MAX_TIMEOUT_SECONDS: {
    text: 'How long a payment is asked to be valid: at least `HANDLER_TIMEOUT_MS` + `SETTLE_TIMEOUT_MS` + 6 seconds.',
  },
  SETTLE_TIMEOUT_MS: { text: 'How long a caller waits for the chain.' },
  REPLACE_AFTER_MS: { text: 'When higher fees are offered for a transaction that is not mined.' },
  HANDLER_TIMEOUT_MS: { text: 'How long a priced handler may take before its call is given up and costs nothing.' },
  ANSWER_MAX_BYTES: {
    text: 'The largest answer to a paid call that is kept for its owner. A larger one says `Answer-Stored: false`.',
  },
  ANSWER_MAX_AGE_SECONDS: { text: 'How long it is kept.' },
  ANSWER_RETRY_SECONDS: {
    text: 'How long an answer that never arrived is kept for a caller without an `Idempotency-Key`.',
  },
  KEY_CACHE_MAX_AGE_MS: { text: 'How long a key is taken from memory, where no notice of a change came.' },
  REPLICA_TTL_MS: { text: 'When a process that shows no sign of life counts as dead.' },
  SESSION_IDLE_SECONDS: { text: "An operator's session in the console ends when nothing was done in it for so long." },
  SESSION_MAX_SECONDS: { text: "An operator's session in the console ends after so long in any case." },
  REFUSED_PAYMENTS_PER_ADDRESS: {
    text: 'Payments of unknown payers, from one address and each second, that may be refused after the database or the node was asked.',
  },
  REFUSED_PAYMENTS_TOTAL: { text: 'The same, from all addresses.' },
  SETTLER_LOW_SETTLEMENTS: {
    text: 'A settler with gas for fewer settlements, at the fees of the moment, is told as low at `/readyz` and in metrics.',
  },
};

/** The settings of every server: who may see metrics and the details of readiness. */
export const watchTexts: Readonly<Record<keyof typeof watchEnvironment, SettingText>> = {
  DRAIN_MS: {
    absent: '5000 in production, else 0',
    text: 'How long a process that gets SIGTERM says 503 at `/readyz` and serves on, while balancers turn away from it.',
  },
  WATCH_PORT: {
    absent: 'the port of all routes',
    text: 'A port of their own for `/metrics` and the details of `/readyz`.',
  },
  WATCH_TOKEN: {
    shape: '32 characters or more',
    absent: 'none: everybody may read them',
    text: 'A bearer token that they ask for.',
  },
};

/** The settings of every program. */
export const programTexts: Readonly<
  Record<'HOST' | 'PORT' | 'LOG_LEVEL' | keyof typeof proxyEnvironment, SettingText>
> = {
  TRUSTED_PROXIES: {
    shape: 'addresses and networks with commas, `loopback`, `linklocal`, `uniquelocal`',
    text: 'Whose `X-Forwarded-For` says where a request comes from. Paces by address go by it.',
  },
  HOST: {
    shape: 'address to listen at',
    text: 'Where it listens. Only this machine reaches `127.0.0.1`; containers set `0.0.0.0`.',
  },
  PORT: { text: 'The port. 0: any that is free.' },
  LOG_LEVEL: { text: 'The least that is logged.' },
};
