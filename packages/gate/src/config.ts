import { createSecretKey, type KeyObject } from 'node:crypto';
import { type Clock, systemClock } from '@keyfare/core/time';
import { findNetwork, type Network } from '@keyfare/core/x402';
import { type HostPool, type Place, poolOf } from '@keyfare/db/host-pool';
import { z } from 'zod';
import { attempt, parseEnvironment, present, withSecretFiles } from './environment.js';
import { inOptionNames, settingOptions, type WrittenOptions, writeOptions } from './option-settings.js';
import type { GateOptions } from './options.js';
import {
  type DeferredSettings,
  type NetworkSettings,
  paymentEnvironment,
  readDeferred,
  readNetworks,
} from './payment-config.js';

import { isProduction, productionFaults } from './production-config.js';
import { address, ConfigurationError, httpUrl, postgresUrl, secretKey } from './setting.js';
import { readSigningKey } from './signing-key.js';
import { unprintable } from './unprintable.js';

/** Secrets kept outside the database, without which a stolen or altered table of key hashes proves nothing. */
export interface Peppers {
  /** The one that new secrets are hashed with. */
  readonly current: string;
  readonly keys: ReadonlyMap<string, KeyObject>;
}

/** The gate's configuration, parsed. */
export abstract class GateConfig {
  /** Where payments are taken by default. */
  abstract readonly network: Network;
  /** Who is paid by default. */
  abstract readonly payTo: `0x${string}`;
  /** Every network that payments are taken on, the default one first. */
  abstract readonly networks: readonly NetworkSettings[];
  abstract readonly deferred: DeferredSettings;
  /** Where the statements of calls go: a URL, or the pool of the host. */
  abstract readonly database: { readonly url: string } | { readonly pool: HostPool };
  /** Where all other connections of the gate go: each kind has its own, so that none waits for another. */
  abstract readonly ownConnections: Place;
  /** For what needs a session of its own: past the pooler, where the others go through one. */
  abstract readonly directConnections: Place;
  /**
   * Whether `database` and `ownConnections` are those of a pooler in transaction mode: `DIRECT_DATABASE_URL` is set.
   */
  abstract readonly isPooled: boolean;
  /**
   * A login that may change the schema, where the running gate's may not; null: the schema is up to date, or no start.
   */
  abstract readonly migrations: Place | null;
  /**
   * What callers put in front of a path that the gate sees, without a slash at its end: it stands in offers and
   * receipts.
   */
  abstract readonly publicUrl: string;
  /** The path that a proxy adds to what callers ask, without a slash at its end; empty for none. */
  abstract readonly mountPath: string;
  /** Origins whose pages may call; `*` for any, null to leave it to the host. */
  abstract readonly corsOrigins: '*' | readonly string[] | null;
  /** The same for the routes of operators. */
  abstract readonly operatorCorsOrigins: '*' | readonly string[] | null;
  abstract readonly rpcTimeoutMs: number;
  /** JSON-RPC calls in one HTTP request at most. */
  abstract readonly rpcBatchCalls: number;
  abstract readonly signingKey: KeyObject;
  abstract readonly peppers: Peppers;
  /** Peppers that are to go: a secret under one is hashed anew, under the current one, when it is used. */
  abstract readonly retiringPeppers: ReadonlySet<string>;
  /** Whether real money or real customers are at stake: then what would lose them stops the start. */
  abstract readonly isProduction: boolean;
  /** Which keys are good here. */
  abstract readonly environment: 'live' | 'test';
  /** How long a payment authorisation is asked to be valid, and so how long a call may take. */
  abstract readonly maxTimeoutSeconds: number;
  /** How long a caller waits for the chain. */
  abstract readonly settleTimeoutMs: number;
  /** When higher fees are offered for a transaction that is not mined. */
  abstract readonly replaceAfterMs: number;
  /** How long a priced handler may take before its hold is voided. */
  abstract readonly handlerTimeoutMs: number;
  /**
   * How large answers are kept for their owners, and how long; `retryMs`: without an owner, for a caller that got none.
   */
  abstract readonly answers: { readonly maxBytes: number; readonly maxAgeMs: number; readonly retryMs: number };
  abstract readonly keyCacheMaxAgeMs: number;
  /** When a process that shows no sign of life counts as dead. */
  abstract readonly replicaTtlMs: number;
  /** How long an operator who has signed in may be idle, and how long a session lasts in any case. */
  abstract readonly sessions: { readonly idleSeconds: number; readonly maxSeconds: number };
  /** Refused payments of payers that are not known, each second, whose claims and questions are paid for. */
  abstract readonly refusedPayments: { readonly perAddress: number; readonly total: number };
  /** With gas for fewer settlements than this a settler counts as low. */
  abstract readonly settlerLowSettlements: number;
  abstract readonly clock: Clock;
  /** A fault in the words of who set it: by the name of an option where it came from one. */
  abstract readonly inOptionNames: (fault: string) => string;
}

const plainPath = /^(?:\/[A-Za-z0-9._-]+)*$/;
/**
 * Whether a URL is an origin and a path that stands in a `did:web` as it is. Their length leaves room for the caller's
 * path.
 */
function isPublicUrl(text: string): boolean {
  const url = new URL(text);
  const plain = url.pathname.replace(/\/$/, '');
  return (
    plainPath.test(plain) &&
    [`${url.origin}${plain}`, `${url.origin}${plain}/`].includes(url.href) &&
    text.length <= 140
  );
}
/** Offers and receipts are made of this and a request's own path: a query here would be lost without a word. */
const publicUrl = httpUrl
  .refine(
    (text) => !URL.canParse(text) || isPublicUrl(text),
    'must be an origin, and a path of letters, digits, -, . and _ where a proxy takes one away: no query, no login',
  )
  .transform((text) => new URL(text).href.replace(/\/$/, ''));
/** `*`, `none`, or origins as browsers send them (RFC 6454 §6.1). */
const corsOrigins = z.string().transform((text, context): GateConfig['corsOrigins'] => {
  if (text === '*') return '*';
  if (text === 'none') return null;
  const origins = text.split(',').map((part) => part.trim());
  if (origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin)) return origins;
  context.addIssue({ code: 'custom', message: 'must be *, none, or origins with commas between them' });
  return z.NEVER;
});
const milliseconds = z.coerce.number().int().min(100).max(600_000);

const network = z.string().transform((name, context) => {
  const found = findNetwork(name);
  if (found !== null) return found;
  context.addIssue({ code: 'custom', message: 'is no network that payments are taken on' });
  return z.NEVER;
});

const signingKey = z.string().transform((pem, context) => {
  try {
    return readSigningKey(pem);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be an Ed25519 private key in PKCS#8 PEM' });
    return z.NEVER;
  }
});

/** `id:secret` pairs, the current one first. The secrets are base64url of at least 32 bytes. */
const peppers = z.string().transform((text, context): Peppers => {
  const keys = new Map<string, KeyObject>();
  for (const pair of text.split(',')) {
    const [, id, secret] = /^([a-z0-9-]{1,32}):([A-Za-z0-9_-]{43,})$/.exec(pair.trim()) ?? [];
    if (id === undefined || secret === undefined || keys.has(id)) {
      context.addIssue({
        code: 'custom',
        message: 'must be id:secret pairs, the secret base64url of 32 bytes or more',
      });
      return z.NEVER;
    }
    keys.set(id, createSecretKey(Buffer.from(secret, 'base64url')));
  }
  return { current: keys.keys().next().value ?? '', keys };
});

/** The gate's part of the environment, by the names that operators set. */
export const gateEnvironment = z.object({
  PAY_TO: address,
  NETWORK: network.default(() => findNetwork('base-sepolia') as Network),
  DATABASE_URL: postgresUrl,
  DIRECT_DATABASE_URL: postgresUrl.optional(),
  MIGRATION_DATABASE_URL: postgresUrl.optional(),
  MIGRATE: z.enum(['true', 'false'], { error: 'must be true or false' }).default('true'),
  PUBLIC_URL: publicUrl.default('http://localhost:3000'),
  MOUNT_PATH: z
    .string()
    .regex(plainPath, 'must be a path of letters, digits, -, . and _, and no slash at its end')
    .default(''),
  CORS_ORIGINS: corsOrigins.default(null),
  OPERATOR_CORS_ORIGINS: corsOrigins.default(null),
  RPC_URL: httpUrl,
  RPC_TIMEOUT_MS: milliseconds.default(3_000),
  RPC_BATCH_CALLS: z.coerce.number().int().min(1).max(1_000).default(300),
  SETTLER_PRIVATE_KEY: secretKey,
  ...paymentEnvironment,
  RECEIPT_SIGNING_KEY: signingKey,
  API_KEY_PEPPERS: peppers,
  RETIRING_PEPPERS: z
    .string()
    .transform((text): readonly string[] => text.split(',').map((id) => id.trim()))
    .default([]),
  KEY_ENVIRONMENT: z.enum(['live', 'test']).default('test'),
  MAX_TIMEOUT_SECONDS: z.coerce.number().int().min(10).max(3_600).default(120),
  SETTLE_TIMEOUT_MS: milliseconds.default(30_000),
  REPLACE_AFTER_MS: milliseconds.default(60_000),
  HANDLER_TIMEOUT_MS: milliseconds.default(30_000),
  ANSWER_MAX_BYTES: z.coerce.number().int().min(0).max(67_108_864).default(1_048_576),
  ANSWER_MAX_AGE_SECONDS: z.coerce.number().int().min(60).max(2_592_000).default(86_400),
  ANSWER_RETRY_SECONDS: z.coerce.number().int().min(0).max(3_600).default(300),
  KEY_CACHE_MAX_AGE_MS: z.coerce.number().int().min(0).max(60_000).default(5_000),
  REPLICA_TTL_MS: milliseconds.default(5_000),
  SESSION_IDLE_SECONDS: z.coerce.number().int().min(60).max(86_400).default(1_800),
  SESSION_MAX_SECONDS: z.coerce.number().int().min(300).max(604_800).default(43_200),
  REFUSED_PAYMENTS_PER_ADDRESS: z.coerce.number().int().min(1).max(10_000).default(50),
  REFUSED_PAYMENTS_TOTAL: z.coerce.number().int().min(1).max(100_000).default(200),
  SETTLER_LOW_SETTLEMENTS: z.coerce.number().int().min(1).max(1_000_000).default(500),
});

/** The gate's configuration from options and environment. Throws a `ConfigurationError` that names every fault. */
export function readGateConfig(options: GateOptions, env: NodeJS.ProcessEnv): GateConfig {
  const written = writeOptions(options);
  const own = poolFrom(options);
  const all = overlaid(withSecretFiles(env), {
    ...written.env,
    // It is read by nobody, for the pool knows where it connects.
    ...(options.pool === undefined && options.dataSource === undefined
      ? {}
      : { DATABASE_URL: 'postgres://of-the-pool' }),
  });
  const inNames = (fault: string): string => inOptionNames(fault, written, options.env === false);
  const inVariables: string[] = [];
  const parsed = attempt(() => parseGateEnvironment(gateEnvironment, all), inVariables);
  // A value that could not be written as its variable is missed there, too: that is told once.
  const inTheirs = inVariables.map(inNames).filter((fault) => !isEcho(fault, written));
  const faults = [...new Set([...written.faults, ...own.faults, ...inTheirs])];
  if (parsed === undefined || faults.length > 0) throw new ConfigurationError(faults);
  return configOf({ ...parsed, all, pool: own.pool, clock: options.clock, inOptionNames: inNames });
}

/** Variables that options stand for take the place of the environment's, and of their files. */
function overlaid(env: NodeJS.ProcessEnv, options: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const files = Object.keys(options).map((name) => [`${name}_FILE`, undefined] as const);
  return { ...env, ...Object.fromEntries(files), ...options };
}

function isEcho(fault: string, { faults }: WrittenOptions): boolean {
  const [, option] = /^(\S+) is missing$/.exec(fault) ?? [];
  return option !== undefined && faults.some((other) => other !== fault && other.split(/[ .[]/)[0] === option);
}

/** The pool that the host hands in, or that its data source has. */
function poolFrom({ pool, dataSource, databaseUrl }: GateOptions): { pool?: HostPool; faults: readonly string[] } {
  const given = [pool, dataSource, databaseUrl].filter((way) => way !== undefined);
  if (given.length > 1) return { faults: ['pool, dataSource and databaseUrl exclude each other: give one of them'] };
  if (pool !== undefined) return { pool, faults: [] };
  if (dataSource === undefined) return { faults: [] };
  const found = poolOf(dataSource);
  return found === null
    ? { faults: ['dataSource must be of PostgreSQL, and initialized: await its initialize() first'] }
    : { pool: found, faults: [] };
}

interface Parsed {
  readonly values: z.infer<typeof gateEnvironment>;
  readonly networks: readonly NetworkSettings[];
  readonly all: NodeJS.ProcessEnv;
  readonly pool: HostPool | undefined;
  readonly clock: Clock | undefined;
  readonly inOptionNames: (fault: string) => string;
}

function configOf({ values, networks, all, pool, clock, inOptionNames: inNames }: Parsed): GateConfig {
  const ownConnections = pool === undefined ? { url: values.DATABASE_URL } : { like: pool };
  const urls = { direct: values.DIRECT_DATABASE_URL, owner: values.MIGRATION_DATABASE_URL };
  const directConnections = urls.direct === undefined ? ownConnections : { url: urls.direct };
  const owner = urls.owner === undefined ? directConnections : { url: urls.owner };
  const config: GateConfig = {
    network: values.NETWORK,
    payTo: values.PAY_TO,
    database: pool === undefined ? { url: values.DATABASE_URL } : { pool },
    ownConnections,
    directConnections,
    isPooled: values.DIRECT_DATABASE_URL !== undefined,
    migrations: values.MIGRATE === 'true' ? owner : null,
    publicUrl: values.PUBLIC_URL,
    mountPath: values.MOUNT_PATH,
    corsOrigins: values.CORS_ORIGINS,
    operatorCorsOrigins: values.OPERATOR_CORS_ORIGINS,
    networks: networks.map((settings) => unprintable('settings of a network', { ...settings })),
    deferred: readDeferred(values),
    rpcTimeoutMs: values.RPC_TIMEOUT_MS,
    rpcBatchCalls: values.RPC_BATCH_CALLS,
    signingKey: values.RECEIPT_SIGNING_KEY,
    peppers: values.API_KEY_PEPPERS,
    retiringPeppers: new Set(values.RETIRING_PEPPERS),
    isProduction: isProduction(all),
    environment: values.KEY_ENVIRONMENT,
    maxTimeoutSeconds: values.MAX_TIMEOUT_SECONDS,
    settleTimeoutMs: values.SETTLE_TIMEOUT_MS,
    replaceAfterMs: values.REPLACE_AFTER_MS,
    handlerTimeoutMs: values.HANDLER_TIMEOUT_MS,
    answers: {
      maxBytes: values.ANSWER_MAX_BYTES,
      maxAgeMs: values.ANSWER_MAX_AGE_SECONDS * 1_000,
      retryMs: values.ANSWER_RETRY_SECONDS * 1_000,
    },
    keyCacheMaxAgeMs: values.KEY_CACHE_MAX_AGE_MS,
    replicaTtlMs: values.REPLICA_TTL_MS,
    sessions: { idleSeconds: values.SESSION_IDLE_SECONDS, maxSeconds: values.SESSION_MAX_SECONDS },
    refusedPayments: { perAddress: values.REFUSED_PAYMENTS_PER_ADDRESS, total: values.REFUSED_PAYMENTS_TOTAL },
    settlerLowSettlements: values.SETTLER_LOW_SETTLEMENTS,
    clock: clock ?? systemClock,
    inOptionNames: inNames,
  };
  return Object.freeze(unprintable('GateConfig', config));
}

/**
 * Parses the gate's environment, or a program's that extends it, with the settings of all networks and those that
 * belong together. Throws a `ConfigurationError` that names every fault, each once.
 */
export function parseGateEnvironment<T extends z.ZodType & { readonly shape: object }>(
  schema: T,
  env: NodeJS.ProcessEnv,
): { readonly values: z.infer<T>; readonly networks: readonly NetworkSettings[] } {
  const given = present(env);
  const faults: string[] = [];
  const values = attempt(() => parseEnvironment(schema, env), faults);
  const networks = attempt(() => readNetworks(given), faults);
  faults.push(...timeFaults(given), ...pepperFaults(given), ...productionFaults(given, { publicUrl: true }));
  if (values === undefined || networks === undefined || faults.length > 0) throw new ConfigurationError(faults);
  return { values, networks };
}

/** What is hashed anew must be provable until then, and under another pepper. */
function pepperFaults(env: NodeJS.ProcessEnv): readonly string[] {
  const { API_KEY_PEPPERS, RETIRING_PEPPERS } = gateEnvironment.shape;
  const known = API_KEY_PEPPERS.safeParse(env['API_KEY_PEPPERS']).data;
  const retiring = RETIRING_PEPPERS.safeParse(env['RETIRING_PEPPERS']).data ?? [];
  return known === undefined || retiring.every((id) => known.keys.has(id) && id !== known.current)
    ? []
    : ['RETIRING_PEPPERS must name peppers of API_KEY_PEPPERS behind the first one'];
}

/** A payment that is signed as offered must still be good when the handler and the settlement have had their time. */
function timeFaults(env: NodeJS.ProcessEnv): readonly string[] {
  const given = (name: keyof typeof gateEnvironment.shape): number | undefined => {
    const { data } = gateEnvironment.shape[name].safeParse(env[name]);
    return typeof data === 'number' ? data : undefined;
  };
  const faults: string[] = [];
  const [handler, settle] = [given('HANDLER_TIMEOUT_MS'), given('SETTLE_TIMEOUT_MS')];
  const [offered, deferred] = [given('MAX_TIMEOUT_SECONDS'), given('DEFERRED_TIMEOUT_SECONDS')];
  const [margin, age, interval] = [
    given('DEFERRED_MARGIN_SECONDS'),
    given('DEFERRED_AGE_SECONDS'),
    given('DEFERRED_INTERVAL_MS'),
  ];
  if (handler !== undefined && settle !== undefined) {
    const least = Math.ceil((handler + settle) / 1_000) + paymentMarginSeconds;
    if (offered !== undefined && offered < least) {
      faults.push(`MAX_TIMEOUT_SECONDS must be at least ${least}: HANDLER_TIMEOUT_MS, SETTLE_TIMEOUT_MS and a margin`);
    }
    if (deferred !== undefined && margin !== undefined && deferred < least + margin) {
      faults.push(`DEFERRED_TIMEOUT_SECONDS must be at least ${least + margin}: as above, and DEFERRED_MARGIN_SECONDS`);
    }
  }
  if (deferred !== undefined && margin !== undefined && age !== undefined && age + margin > deferred) {
    faults.push(
      `DEFERRED_AGE_SECONDS must be at most ${deferred - margin}: DEFERRED_TIMEOUT_SECONDS without DEFERRED_MARGIN_SECONDS`,
    );
  }
  if (margin !== undefined && interval !== undefined && interval > margin * 1_000) {
    faults.push(
      `DEFERRED_INTERVAL_MS must be at most ${margin * 1_000}, DEFERRED_MARGIN_SECONDS: payments would run out between two looks`,
    );
  }
  return faults;
}

/** What is left of a payment's time for the way to the caller and back, and for a block. */
export const paymentMarginSeconds = 6;

/** Compiles only while every setting has an option: `maxTimeoutSeconds` of `MAX_TIMEOUT_SECONDS`. */
type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<Name>;
settingOptions satisfies Readonly<Record<CamelCase<Exclude<keyof typeof gateEnvironment.shape, 'NETWORKS'>>, unknown>>;

export type { DeferredSettings, NetworkSettings } from './payment-config.js';
export { ConfigurationError } from './setting.js';
