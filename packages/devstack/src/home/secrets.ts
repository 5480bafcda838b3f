import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hex } from 'viem';
import { generatePrivateKey } from 'viem/accounts';
import { draftPath } from '../drafts.js';

/** What the services of one home share and nobody else may know. */
export interface Secrets {
  readonly postgresPassword: string;
  /** 32 random bytes, base64url: the HMAC key under which API keys are stored. */
  readonly keyPepper: string;
  /** Ed25519 private key, PKCS#8 PEM. */
  readonly receiptKeyPem: string;
  /** secp256k1 private key of the wallet that sends settlements. */
  readonly settlerKey: Hex;
  /** secp256k1 private key of a wallet that plays the paying agent. */
  readonly payerKey: Hex;
  /** secp256k1 private key of the wallet that payments go to. */
  readonly payToKey: Hex;
}

const makers: Readonly<Record<keyof Secrets, { readonly file: string; readonly make: () => string }>> = {
  postgresPassword: { file: 'postgres-password', make: randomToken },
  keyPepper: { file: 'key-pepper', make: randomToken },
  receiptKeyPem: { file: 'receipt-key.pem', make: makeReceiptKey },
  settlerKey: { file: 'settler-key', make: generatePrivateKey },
  payerKey: { file: 'payer-key', make: generatePrivateKey },
  payToKey: { file: 'pay-to-key', make: generatePrivateKey },
};

/**
 * Reads the secrets of a directory, making those that are missing: files of mode 0600, made once, never changed.
 * Missing ones are those of `given`, or else random.
 */
export function openSecrets(directory: string, given: Partial<Secrets> = {}): Secrets {
  const read = (name: keyof Secrets) =>
    ensureSecret(secretPath(directory, name), () => given[name] ?? makers[name].make());
  return {
    postgresPassword: read('postgresPassword'),
    keyPepper: read('keyPepper'),
    receiptKeyPem: read('receiptKeyPem'),
    settlerKey: read('settlerKey') as Hex,
    payerKey: read('payerKey') as Hex,
    payToKey: read('payToKey') as Hex,
  };
}

/** The file that holds a secret, for a service that is given paths and not values. */
export function secretPath(directory: string, name: keyof Secrets): string {
  return join(directory, makers[name].file);
}

/**
 * The text in the file, written by `make` when there is no file. Written in full under another name, then linked: of
 * two that make it at once both read the same one, and a crash leaves the whole file or none.
 */
export function ensureSecret(path: string, make: () => string): string {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    const draft = draftPath(path);
    try {
      writeFileSync(draft, `${make().trimEnd()}\n`, { mode: 0o600, flag: 'wx', flush: true });
      linkSync(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  const text = readFileSync(path, 'utf8');
  return text.startsWith('-----BEGIN') ? text : text.trimEnd();
}

/** 32 random bytes, base64url. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url');
}

function makeReceiptKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
