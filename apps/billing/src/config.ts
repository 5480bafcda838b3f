import { parseMoney } from '@keyfare/core/money';
import type { Network } from '@keyfare/core/x402';
import {
  attempt,
  ConfigurationError,
  gateEnvironment,
  isProduction,
  parseEnvironment,
  productionFaults,
  proxyEnvironment,
  readWatch,
  type WatchSettings,
  watchEnvironment,
  withSecretFiles,
} from '@keyfare/gate/server';
import { z } from 'zod';

const milliseconds = z.coerce.number().int().min(50).max(600_000);
const seconds = z.coerce.number().int().min(0).max(86_400);
const blocks = z
  .string()
  .regex(/^\d{1,18}$/, 'must be a number of blocks')
  .transform((text) => BigInt(text));
const amount = z
  .string()
  .regex(/^\d{1,12}(?:\.\d{1,6})?$/, 'must be an amount such as 100 or 99.50')
  .transform((text) => parseMoney('USD', text.replace(/^0+(?=\d)/, '')).atomic);
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

/** Addresses with commas between them. */
const payees = z.string().transform((text, context): readonly `0x${string}`[] => {
  const given = text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
  const read = given.map((part) => gateEnvironment.shape.PAY_TO.safeParse(part));
  const wrong = read.find(({ success }) => !success)?.error?.issues[0]?.message;
  if (wrong === undefined) return [...new Set(read.flatMap(({ data }) => data ?? []))];
  context.addIssue({ code: 'custom', message: `names a wallet that ${wrong}` });
  return z.NEVER;
});

/** Numbers of days with commas between them, each more than the one before. */
const days = z
  .string()
  .regex(/^[1-9]\d{0,2}(?:,[1-9]\d{0,2}){0,8}$/, 'must be one to nine numbers of days with commas, such as 7,21,35')
  .transform((text) => text.split(',').map(Number))
  .refine((given) => given.every((each, index) => index === 0 || each > (given[index - 1] ?? 0)), {
    error: 'must name each number of days after a smaller one',
  });

/** The environment of this program. What it shares with the gate is spelled as there. */
export const billingEnvironment = gateEnvironment
  .pick({
    PAY_TO: true,
    NETWORK: true,
    DATABASE_URL: true,
    DIRECT_DATABASE_URL: true,
    MIGRATION_DATABASE_URL: true,
    RPC_URL: true,
  })
  .extend({
    FEED_DATABASE_URL: gateEnvironment.shape.DATABASE_URL.optional(),
    API_JWKS_URL: httpUrl,
    API_URL: httpUrl.optional(),
    CONSOLE_URL: httpUrl.optional(),
    FURTHER_PAYEES: payees.default([]),
    ...watchEnvironment,
    ...proxyEnvironment,
    HOST: z.string().default('127.0.0.1'),
    PORT: z.coerce.number().int().min(0).max(65_535).default(3_001),
    LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
    RPC_TIMEOUT_MS: milliseconds.default(5_000),
    INTAKE_INTERVAL_MS: milliseconds.default(500),
    CHAIN_INTERVAL_MS: milliseconds.default(1_000),
    CHAIN_START_BLOCK: blocks.default(0n),
    CHAIN_CONFIRMATIONS: blocks.optional(),
    CHAIN_DOUBT_SECONDS: seconds.default(10),
    CHAIN_MAY_LOSE_BLOCKS: z.enum(['true', 'false']).default('false'),
    STALLED_AFTER_SECONDS: seconds.min(10).default(300),
    RECONCILE_WAIT_SECONDS: seconds.default(30),
    RECONCILE_GRACE_SECONDS: seconds.default(60),
    RECEIPT_KEY_GRACE_SECONDS: seconds.default(120),
    FOUR_EYES_ABOVE: amount.default(100_000_000n),
    CLOSE_BREAK_LIMIT: amount.default(0n),
    JOB_LEASE_SECONDS: seconds.min(1).max(3_600).default(30),
    PROOF_ROTATION_NIGHTS: z.coerce.number().int().min(1).max(365).default(30),
    INVOICE_APPROVAL_ABOVE: amount.default(10_000_000_000n),
    REMIND_AFTER_DAYS: days.default([7, 21, 35]),
    DUST_BELOW: z
      .string()
      .regex(/^\d{1,12}$/, 'must be a number of the smallest units of a token')
      .transform((text) => BigInt(text))
      .default(100n),
  });

/** Billing's configuration, parsed. */
export abstract class BillingConfig {
  abstract readonly network: Network;
  /** The wallet that payments go to. */
  abstract readonly payTo: `0x${string}`;
  /** Wallets of the same network that tariffs name beside it. */
  abstract readonly furtherPayees: readonly `0x${string}`[];
  /** The books. */
  abstract readonly databaseUrl: string;
  /**
   * Whether `databaseUrl` and `feedDatabaseUrl` are those of a pooler in transaction mode: `DIRECT_DATABASE_URL` is
   * set.
   */
  abstract readonly isPooled: boolean;
  /** A login that may change the schema, where the running program's may not. */
  abstract readonly migrationDatabaseUrl: string;
  /** The API's database, of which five views are read. */
  abstract readonly feedDatabaseUrl: string;
  abstract readonly apiJwksUrl: string;
  /** The API's own address, without a slash at the end: where operators sign in, and what the console asks. */
  abstract readonly apiUrl: string;
  /** Whether browsers reach the console over TLS: then cookies are for that alone. */
  abstract readonly isConsoleSecure: boolean;
  abstract readonly rpcUrl: string;
  abstract readonly rpcTimeoutMs: number;
  /** Proxies whose `X-Forwarded-For` is believed. */
  abstract readonly trustedProxies: readonly string[];
  abstract readonly watch: WatchSettings;
  /** Whether real money or real customers are at stake. */
  abstract readonly isProduction: boolean;
  abstract readonly host: string;
  abstract readonly port: number;
  abstract readonly logLevel: z.infer<typeof billingEnvironment>['LOG_LEVEL'];
  abstract readonly intakeIntervalMs: number;
  abstract readonly chainIntervalMs: number;
  /** The first block whose transfers count; what the wallet held before it is its opening balance. */
  abstract readonly chainStartBlock: bigint;
  /** After so many blocks a transfer counts as final. Null: the chain says what is final. */
  abstract readonly chainConfirmations: bigint | null;
  /**
   * How long a node must contradict what it showed before. Then other blocks for final ones are said to be a break; of
   * a chain that may lose blocks, what the node shows is believed.
   */
  abstract readonly chainDoubtMs: number;
  /** Whether the chain is a local one, which loses its newest blocks, final or not, when its node is killed. */
  abstract readonly chainMayLoseBlocks: boolean;
  /** For how long the books may be behind the log or the chain before that is said to be a break. */
  abstract readonly stalledAfterMs: number;
  /** How long a reconciliation waits for the log, and for the chain, to come up to the present. */
  abstract readonly reconcileWaitMs: number;
  /** How long one side may know of a payment before the other does. */
  abstract readonly reconcileGraceSeconds: number;
  /** How long the API may take to publish a key that it signs with already. */
  abstract readonly receiptKeyGraceMs: number;
  /** A resolution that posts more takes a second operator: in millionths of a dollar, or of a token. */
  abstract readonly fourEyesAbove: bigint;
  /** A month is not locked while a case of more is open: in the same unit. */
  abstract readonly closeBreakLimit: bigint;
  /** After so long without a sign of life of its process, a run or a scheduled job is another's to do. */
  abstract readonly jobLeaseMs: number;
  /** In so many nights everything that was proven is read again. */
  abstract readonly proofRotationNights: number;
  /** An invoice of more becomes final only when a second operator has approved it: in micro-dollars. */
  abstract readonly invoiceApprovalAbove: bigint;
  /** After so many days beyond the due day each level of a reminder is written; rising. */
  abstract readonly remindAfterDays: readonly number[];
  /** A transfer of less that no entry claims is dust: in the smallest unit of its token. */
  abstract readonly dustBelow: bigint;
}

/** Secrets that may come from a file: a URL may hold a password or a provider's key. */
const fromFile = [
  'WATCH_TOKEN',
  'DATABASE_URL',
  'DIRECT_DATABASE_URL',
  'MIGRATION_DATABASE_URL',
  'FEED_DATABASE_URL',
  'RPC_URL',
];

/** One token for all was a setting of the release before: who still sets it is told what takes its place. */
const gone = {
  OPERATOR_TOKEN: z
    .string()
    .optional()
    .refine((token) => token === undefined, "is gone: the API's operators are billing's too, see docs/operators.md"),
};

/** The configuration from an environment. Throws a `ConfigurationError` that names every fault. */
export function readBillingConfig(env: NodeJS.ProcessEnv): BillingConfig {
  const given = withSecretFiles(env, fromFile);
  const faults: string[] = [];
  const values = attempt(() => parseEnvironment(billingEnvironment.extend(gone), given), faults);
  faults.push(...timeFaults(given), ...productionFaults(given, { publicUrl: false }));
  if (values === undefined || faults.length > 0) throw new ConfigurationError(faults);
  return Object.freeze({
    network: values.NETWORK,
    payTo: values.PAY_TO,
    furtherPayees: values.FURTHER_PAYEES.filter((payee) => payee !== values.PAY_TO),
    databaseUrl: values.DATABASE_URL,
    isPooled: values.DIRECT_DATABASE_URL !== undefined,
    migrationDatabaseUrl: values.MIGRATION_DATABASE_URL ?? values.DIRECT_DATABASE_URL ?? values.DATABASE_URL,
    feedDatabaseUrl: values.FEED_DATABASE_URL ?? values.DATABASE_URL,
    apiJwksUrl: values.API_JWKS_URL,
    apiUrl: (values.API_URL ?? new URL(values.API_JWKS_URL).origin).replace(/\/+$/, ''),
    isConsoleSecure: values.CONSOLE_URL?.startsWith('https:') ?? isProduction(given),
    rpcUrl: values.RPC_URL,
    rpcTimeoutMs: values.RPC_TIMEOUT_MS,
    trustedProxies: values.TRUSTED_PROXIES,
    watch: readWatch(values, { isProduction: isProduction(given) }),
    isProduction: isProduction(given),
    host: values.HOST,
    port: values.PORT,
    logLevel: values.LOG_LEVEL,
    intakeIntervalMs: values.INTAKE_INTERVAL_MS,
    chainIntervalMs: values.CHAIN_INTERVAL_MS,
    chainStartBlock: values.CHAIN_START_BLOCK,
    chainConfirmations: values.CHAIN_CONFIRMATIONS ?? null,
    chainDoubtMs: values.CHAIN_DOUBT_SECONDS * 1_000,
    chainMayLoseBlocks: values.CHAIN_MAY_LOSE_BLOCKS === 'true',
    stalledAfterMs: values.STALLED_AFTER_SECONDS * 1_000,
    reconcileWaitMs: values.RECONCILE_WAIT_SECONDS * 1_000,
    reconcileGraceSeconds: values.RECONCILE_GRACE_SECONDS,
    receiptKeyGraceMs: values.RECEIPT_KEY_GRACE_SECONDS * 1_000,
    fourEyesAbove: values.FOUR_EYES_ABOVE,
    closeBreakLimit: values.CLOSE_BREAK_LIMIT,
    jobLeaseMs: values.JOB_LEASE_SECONDS * 1_000,
    proofRotationNights: values.PROOF_ROTATION_NIGHTS,
    invoiceApprovalAbove: values.INVOICE_APPROVAL_ABOVE,
    remindAfterDays: values.REMIND_AFTER_DAYS,
    dustBelow: values.DUST_BELOW,
  });
}

/** The books must be allowed to be behind for longer than they take to look again. */
function timeFaults(env: NodeJS.ProcessEnv): readonly string[] {
  const { STALLED_AFTER_SECONDS: stalled, INTAKE_INTERVAL_MS, CHAIN_INTERVAL_MS } = billingEnvironment.shape;
  const afterMs = (stalled.safeParse(env['STALLED_AFTER_SECONDS'] || undefined).data ?? Infinity) * 1_000;
  return Object.entries({ INTAKE_INTERVAL_MS, CHAIN_INTERVAL_MS }).flatMap(([name, interval]) =>
    (interval.safeParse(env[name] || undefined).data ?? 0) < afterMs
      ? []
      : [`${name} must be less than STALLED_AFTER_SECONDS, or the books are said to stand still between two looks`],
  );
}
