import { createECDH } from 'node:crypto';
import { statSync } from 'node:fs';
import { type Address, addressOfPublicKey, findNetwork, findToken, type Network, networks } from '@keyfare/core/x402';
import { readSigningKey } from './signing-key.js';

const testnets: ReadonlySet<string> = new Set(['base-sepolia', 'sei-testnet']);

/** Whether the network's money is worth nothing. */
export function isTestnet({ name }: Network): boolean {
  return testnets.has(name);
}

/** What the settings of a network have at the end of their names: `_BASE`, `_SEI_TESTNET`. */
export function suffixOf({ name }: Network): string {
  return `_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** The networks that an environment names, the default one first. What is no network of ours is left out. */
function namedNetworks(env: NodeJS.ProcessEnv): readonly Network[] {
  const names = [env['NETWORK'] ?? 'base-sepolia', ...(env['NETWORKS'] ?? '').split(',')];
  return names.flatMap((name) => findNetwork(name.trim()) ?? []);
}

/** Whether real money or real customers are at stake: a network whose money is real, or `NODE_ENV=production`. */
export function isProduction(env: NodeJS.ProcessEnv): boolean {
  return env['NODE_ENV'] === 'production' || namedNetworks(env).some((network) => !isTestnet(network));
}

/**
 * Every secret and address of `.env.example`, by setting. What is secret is public there, so it stands here as it does
 * there; a test compares the two.
 */
export const exampleValues: Readonly<Record<string, string>> = {
  POSTGRES_PASSWORD: 'change-me',
  KEYFARE_PASSWORD: 'change-me',
  PAY_TO: '0x000000000000000000000000000000000000dEaD',
  DATABASE_URL: 'postgres://keyfare_api:change-me@127.0.0.1:5432/keyfare',
  MIGRATION_DATABASE_URL: 'postgres://keyfare_owner:change-me@127.0.0.1:5432/keyfare',
  FEED_DATABASE_URL: 'postgres://keyfare_billing:change-me@127.0.0.1:5432/keyfare',
  BOOTSTRAP_TOKEN: 'replace-me-with-32-random-characters-or-more',
  SETTLER_PRIVATE_KEY: '0x0000000000000000000000000000000000000000000000000000000000000001',
  RECEIPT_SIGNING_KEY: `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END PRIVATE KEY-----`,
  API_KEY_PEPPERS: '2026-11:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
};

/**
 * Settings that may hold a key or a password, so that files may hold them; those of a network with its name at the end
 * too.
 */
export const secretSettings: readonly string[] = [
  'POSTGRES_PASSWORD',
  'KEYFARE_PASSWORD',
  'DATABASE_URL',
  'DIRECT_DATABASE_URL',
  'MIGRATION_DATABASE_URL',
  'FEED_DATABASE_URL',
  'RPC_URL',
  'BOOTSTRAP_TOKEN',
  'WATCH_TOKEN',
  'SETTLER_PRIVATE_KEY',
  'SETTLER_PREVIOUS_KEYS',
  'RECEIPT_SIGNING_KEY',
  'API_KEY_PEPPERS',
];

const placeholder = /change[-_ ]?me|replace[-_ ]?me|^(?:password|passwd|secret|postgres|keyfare|admin|test)$/i;
const how: Readonly<Record<string, string>> = {
  SETTLER_PRIVATE_KEY: 'make one of a wallet that does nothing else',
  SETTLER_PREVIOUS_KEYS: 'name keys of wallets that you hold, or leave it empty',
  RECEIPT_SIGNING_KEY: 'make one with `openssl genpkey -algorithm ed25519`',
};
const random = `make one with \`node -p "crypto.randomBytes(32).toString('base64url')"\``;

/**
 * What would lose money or secrets in production, by the names that operators set; nothing elsewhere. `env` has the
 * contents of files in their place. Every fault is a sentence that says what to do, and holds no secret.
 */
export function productionFaults(env: NodeJS.ProcessEnv, needs: { readonly publicUrl: boolean }): readonly string[] {
  if (!isProduction(env)) return [];
  const noUrl = (env['PUBLIC_URL'] ?? '') === '' && needs.publicUrl;
  return [
    ...settingsOf(env, secretSettings).flatMap(({ name, base, value }) =>
      isKnown(base, value) ? [`${name} can be guessed, or is the one of .env.example: ${how[base] ?? random}`] : [],
    ),
    ...settingsOf(env, ['PAY_TO', 'BATCH_CONTRACT']).flatMap(({ name, base, value }) => lossOf(name, base, value)),
    ...(noUrl ? ['PUBLIC_URL is missing: set the origin that callers use, for it stands in offers and receipts'] : []),
    ...settlerFaults(env),
    ...fileFaults(env),
  ];
}

interface Setting {
  readonly name: string;
  /** The name without the network. */
  readonly base: string;
  readonly value: string;
}

/** Those of these settings that are given, the ones of single networks too. */
function settingsOf(env: NodeJS.ProcessEnv, bases: readonly string[]): readonly Setting[] {
  return bases.flatMap((base) =>
    namesOf([base]).flatMap((name) => {
      const value = env[name];
      return value === undefined || value === '' ? [] : [{ name, base, value }];
    }),
  );
}

/**
 * Whether a secret is one of the example's, a placeholder, or made of so few different characters that nobody drew it.
 */
function isKnown(base: string, value: string): boolean {
  if (Object.values(exampleValues).includes(value)) return true;
  if (base.endsWith('_URL')) return URL.canParse(value) && placeholder.test(new URL(value).password);
  if (base.endsWith('_PASSWORD')) return placeholder.test(value);
  if (base === 'RECEIPT_SIGNING_KEY') return isPlainSeed(value);
  if (base === 'API_KEY_PEPPERS') return value.split(',').some((pair) => isMonotonous(pair.split(':')[1] ?? ''));
  if (base.startsWith('SETTLER_')) return value.split(',').some((key) => isMonotonous(key.trim().slice(2)));
  return placeholder.test(value) || isMonotonous(value);
}

/** Of 32 random bytes in hexadecimal fewer than eight digits are used less than once in 10^15. */
function isMonotonous(text: string): boolean {
  return new Set(text.toLowerCase()).size < 8;
}

/** RFC 8410 §7: the seed is the end of the document. What is no key at all is another fault. */
function isPlainSeed(pem: string): boolean {
  try {
    return isMonotonous(readSigningKey(pem).export({ type: 'pkcs8', format: 'der' }).subarray(-32).toString('hex'));
  } catch {
    return false;
  }
}

/** Addresses that nobody has the key of: what is paid to them is lost. */
export function isBurnAddress(address: string): boolean {
  const digits = address.toLowerCase().slice(2);
  // The zero address, and the contracts that the protocol itself has at the lowest addresses (up to EIP-2537;
  // EIP-7951).
  const number = BigInt(address);
  if (number <= 0x11n || number === 0x100n) return true;
  // 0x…dEaD, 0xdEaD…, 0xdeadbeef…, and one digit all the way.
  return /^0*(?:dead)+0*$|^(?:deadbeef)+$|^(.)\1*$/.test(digits);
}

/** What is wrong with an address that payments go to, or through, as a sentence about `name`. */
export function lossOf(name: string, base: string, value: string): readonly string[] {
  if (!/^0x[0-9a-fA-F]{40}$/.test(value) || BigInt(value) === 0n) return [];
  const wallet = base === 'PAY_TO' ? 'the address of a wallet that you hold' : 'the contract, or none';
  if (isBurnAddress(value)) return [`${name} is an address that nobody has the key of: set ${wallet}`];
  const isToken = networks.some((network) => findToken(network, value) !== null);
  return isToken ? [`${name} is the contract of the token, which gives nothing back: set ${wallet}`] : [];
}

/** The account of a private key; undefined for what is none. */
function accountOf(privateKey: string): Address | undefined {
  try {
    const curve = createECDH('secp256k1');
    curve.setPrivateKey(privateKey.slice(2), 'hex');
    return addressOfPublicKey(curve.getPublicKey());
  } catch {
    return undefined;
  }
}

/** The settler's key is on every server: whoever takes one must not get the customers' payments with it. */
function settlerFaults(env: NodeJS.ProcessEnv): readonly string[] {
  const payees = settingsOf(env, ['PAY_TO']);
  return settingsOf(env, ['SETTLER_PRIVATE_KEY', 'SETTLER_PREVIOUS_KEYS']).flatMap(({ name, value }) => {
    const accounts = new Set(value.split(',').map((key) => accountOf(key.trim())));
    return payees
      .filter((payee) => accounts.has(payee.value.toLowerCase() as Address))
      .map((payee) => `${name} is the key of ${payee.name}: pay to a wallet whose key is on no server`);
  });
}

/** A file that other users of the machine may read, or change, is no place for a secret. */
function fileFaults(env: NodeJS.ProcessEnv): readonly string[] {
  return namesOf().flatMap((name) => {
    const path = env[`${name}_FILE`];
    const isOpen = path !== undefined && path !== '' && (modeOf(path) & 0o026) !== 0;
    const todo = 'chmod 0400 it (of a mounted secret say so where it is mounted; Kubernetes: `defaultMode: 0400`)';
    return isOpen ? [`${name}_FILE names a file that others may read or change: ${todo}`] : [];
  });
}

/** What cannot be looked at is told as a file that cannot be read. */
function modeOf(path: string): number {
  try {
    return statSync(path).mode;
  } catch {
    return 0;
  }
}

/** The settings that files may hold: the names of `secretSettings`, and each with a network at its end. */
export function namesOf(bases: readonly string[] = secretSettings): readonly string[] {
  return bases.flatMap((base) => ['', ...networks.map(suffixOf)].map((suffix) => base + suffix));
}
