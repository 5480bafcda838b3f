import { findNetwork } from '@keyfare/core/x402';
import { z } from 'zod';
import type { GateOptions, NetworkOptions, SettingOptions } from './options.js';
import { suffixOf } from './production-config.js';

/** How an option's value is written as its variable, so that one schema reads both. */
type Writer<Value> = z.ZodType<string, Value>;

const text = z.string({ error: 'must be a string' }).min(1, 'must not be empty');
const number = z.number({ error: 'must be a number' }).transform(String);
const flag = z.boolean({ error: 'must be true or false' }).transform(String);
const listItem = text.regex(/^[^,\s]+$/, 'must be without commas and spaces');
const list = z.array(listItem, { error: 'must be a list of strings' }).transform((items) => items.join(','));
const environments = z.enum(['live', 'test'], { error: 'must be live or test' });
const corsOrigins = z.union([z.literal('*'), z.literal('none'), list], {
  error: "must be '*', 'none', or a list of origins",
});
const pepperPart = z
  .string({ error: 'must be a string' })
  .regex(/^[^,:\s]+$/, 'must be without commas, colons and spaces');
const peppers = z
  .array(z.strictObject({ id: pepperPart, secret: pepperPart }), { error: 'must be a list of { id, secret }' })
  .min(1, 'must not be empty')
  .transform((pairs) => pairs.map(({ id, secret }) => `${id}:${secret}`).join(','));

const perNetwork: {
  readonly [Name in keyof Omit<NetworkOptions, 'network'>]-?: Writer<NonNullable<NetworkOptions[Name]>>;
} = {
  rpcUrl: text,
  payTo: text,
  settlerPrivateKey: text,
  settlerPreviousKeys: list,
  confirmations: number,
  batchContract: text,
  batchSize: number,
  settlementGasLimit: number,
  maxGasPriceGwei: text,
  maxSettlementCostEther: text,
  maxGasPercent: number,
  etherPriceUsd: text,
  etherPriceEur: text,
};

/** Every option that is a setting, but for `networks`; the variable is the same name in capitals. */
export const settingOptions: {
  readonly [Name in keyof Omit<SettingOptions, 'networks'>]-?: Writer<NonNullable<SettingOptions[Name]>>;
} = {
  ...perNetwork,
  network: text,
  databaseUrl: text,
  directDatabaseUrl: text,
  migrationDatabaseUrl: text,
  migrate: flag,
  publicUrl: text,
  mountPath: text,
  corsOrigins,
  operatorCorsOrigins: corsOrigins,
  rpcTimeoutMs: number,
  rpcBatchCalls: number,
  receiptSigningKey: text,
  apiKeyPeppers: peppers,
  retiringPeppers: list,
  keyEnvironment: environments,
  maxTimeoutSeconds: number,
  settleTimeoutMs: number,
  replaceAfterMs: number,
  handlerTimeoutMs: number,
  answerMaxBytes: number,
  answerMaxAgeSeconds: number,
  answerRetrySeconds: number,
  keyCacheMaxAgeMs: number,
  replicaTtlMs: number,
  sessionIdleSeconds: number,
  sessionMaxSeconds: number,
  refusedPaymentsPerAddress: number,
  refusedPaymentsTotal: number,
  settlerLowSettlements: number,
  deferredTimeoutSeconds: number,
  deferredMarginSeconds: number,
  deferredCount: number,
  deferredAmountUsd: text,
  deferredAmountEur: text,
  deferredAgeSeconds: number,
  deferredIntervalMs: number,
  balanceIntervalMs: number,
  maxOpenPerPayerUsd: text,
  maxOpenTotalUsd: text,
  maxOpenPerPayerEur: text,
  maxOpenTotalEur: text,
};

/** The options that are no settings. */
const others: ReadonlySet<string> = new Set([
  'networks',
  'env',
  'pool',
  'dataSource',
  'clock',
] satisfies (keyof GateOptions)[]);

/** The options of one network, by the variables that have its name at their end. */
export const networkOptionNames: readonly string[] = Object.keys(perNetwork);

/** `MAX_TIMEOUT_SECONDS` of `maxTimeoutSeconds`. */
export function variableOf(option: string): string {
  return option.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** `maxTimeoutSeconds` of `MAX_TIMEOUT_SECONDS`. */
export function optionOf(variable: string): string {
  return variable.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Options as the variables that they stand for. */
export interface WrittenOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Which option each variable came from, or would have. */
  readonly origins: ReadonlyMap<string, string>;
  readonly faults: readonly string[];
}

/** Writes options as variables. What is unknown, or of another type, is a fault that holds no value. */
export function writeOptions(options: GateOptions): WrittenOptions {
  const written = { env: {} as Record<string, string>, origins: new Map<string, string>(), faults: [] as string[] };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (others.has(name)) continue;
    const writer = Object.hasOwn(settingOptions, name)
      ? settingOptions[name as keyof typeof settingOptions]
      : undefined;
    if (writer === undefined) written.faults.push(`${name} is no option of the gate`);
    else write({ written, option: name, variable: variableOf(name), writer, value });
  }
  if (options.networks !== undefined) writeNetworks(written, options);
  return written;
}

interface Writing {
  readonly written: {
    readonly env: Record<string, string>;
    readonly origins: Map<string, string>;
    readonly faults: string[];
  };
  /** As a fault names it. */
  readonly option: string;
  readonly variable: string;
  readonly writer: z.ZodType<string>;
  readonly value: unknown;
}

function write({ written, option, variable, writer, value }: Writing): void {
  written.origins.set(variable, option);
  const { data, error } = writer.safeParse(value);
  // An empty list is written as nothing, which leaves the default and not what the environment says.
  if (data !== undefined) written.env[variable] = data;
  for (const { path, message } of error?.issues ?? []) {
    const place = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
    written.faults.push(`${option}${place} ${message}`);
  }
}

/**
 * The first network's settings are those without a name at their end; the default of all others, as in the environment.
 */
function writeNetworks(written: Writing['written'], { network, networks }: GateOptions): void {
  if (network !== undefined) written.faults.push('network must not be given beside networks, whose first one it is');
  if (!Array.isArray(networks) || networks.length === 0) {
    written.faults.push('networks must be a list of at least one network');
    return;
  }
  const names: string[] = [];
  for (const [index, entry] of (networks as readonly unknown[]).entries()) {
    const place = `networks[${index}]`;
    const { network: name, ...settings } = (typeof entry === 'object' ? (entry ?? {}) : {}) as Record<string, unknown>;
    const found = typeof name === 'string' ? findNetwork(name) : null;
    if (found === null) {
      written.faults.push(`${place}.network is no network that payments are taken on`);
      continue;
    }
    if (names.includes(found.name)) written.faults.push(`${place}.network is there twice`);
    names.push(found.name);
    writeNetwork(written, { place, suffix: index === 0 ? '' : suffixOf(found), settings });
  }
  const [first = '', ...further] = names;
  written.env['NETWORK'] = first;
  written.env['NETWORKS'] = further.join(',');
  written.origins.set('NETWORK', 'networks[0].network').set('NETWORKS', 'networks');
}

function writeNetwork(
  written: Writing['written'],
  { place, suffix, settings }: { place: string; suffix: string; settings: Record<string, unknown> },
): void {
  for (const name of networkOptionNames) {
    const variable = `${variableOf(name)}${suffix}`;
    if (!written.origins.has(variable)) written.origins.set(variable, `${place}.${name}`);
  }
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    const writer = Object.hasOwn(perNetwork, name) ? perNetwork[name as keyof typeof perNetwork] : undefined;
    if (writer === undefined) written.faults.push(`${place}.${name} is no option of a network`);
    else write({ written, option: `${place}.${name}`, variable: `${variableOf(name)}${suffix}`, writer, value });
  }
}

/** A fault in the words of who set it: each variable that an option stands for, by the option's name. */
export function inOptionNames(fault: string, { origins }: WrittenOptions, withoutEnvironment: boolean): string {
  return fault.replaceAll(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\b/g, (name) => {
    const known = origins.get(name);
    if (known !== undefined) return known;
    return withoutEnvironment && optionOf(name) in settingOptions ? optionOf(name) : name;
  });
}
