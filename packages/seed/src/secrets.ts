import { createPrivateKey } from 'node:crypto';
import type { TestPayer } from '@keyfare/devstack/payers';
import { type Address, bytesToHex, type Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import type { Random } from './random.js';

/** What a deployment keeps to itself, here made from the seed: the same keys sign the same history. */
export interface SeedSecrets {
  /** Ed25519, PKCS#8 PEM. */
  readonly receiptKeyPem: string;
  /** 32 bytes in base64url. */
  readonly keyPepper: string;
  readonly settlerKey: Hex;
  readonly payToKey: Hex;
  readonly payTo: Address;
}

/** RFC 8410: what stands before the 32 bytes of an Ed25519 key in PKCS#8. */
const ed25519Head = Buffer.from('302e020100300506032b657004220420', 'hex');

export function secretsOf(random: Random): SeedSecrets {
  const der = Buffer.concat([ed25519Head, random.bytes('receipt key')]);
  const payToKey = bytesToHex(random.bytes('till'));
  return {
    receiptKeyPem: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
      .export({ type: 'pkcs8', format: 'pem' })
      .toString(),
    keyPepper: random.bytes('pepper').toString('base64url'),
    settlerKey: bytesToHex(random.bytes('settler')),
    payToKey,
    payTo: privateKeyToAccount(payToKey).address,
  };
}

/** A wallet by its name in the history. */
export function walletOf(random: Random, name: string): TestPayer {
  const privateKey = bytesToHex(random.bytes(`wallet ${name}`));
  const account = privateKeyToAccount(privateKey);
  return { address: account.address, privateKey, account };
}
