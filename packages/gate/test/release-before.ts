import { createHash, createPrivateKey } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '@keyfare/core/time';
import { callRpc } from '@keyfare/devstack/chain';
import { adminQuery } from '@keyfare/devstack/postgres';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { createTestDatabase } from '@keyfare/devstack/test-database';
import type { Ground } from './gate-under-test.js';

/** A payment that was presented to the release before. */
interface OldPayment {
  /** A PAYMENT-SIGNATURE header. */
  readonly header: string;
  readonly nonce: string;
  readonly validBefore: string;
  /** What was served for it, where something was. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/** A key of the release before. */
interface OldKey {
  readonly account: string;
  readonly key: string;
  readonly secret: string;
}

/** What callers of the release before were given. */
export interface Facts {
  readonly keys: Readonly<Record<string, OldKey>>;
  readonly payments: Readonly<Record<string, OldPayment>>;
  readonly answers: readonly { readonly id: string; readonly receipt: string }[];
  readonly payTo: `0x${string}`;
  readonly madeAt: string;
  /** The time of the newest block, in Unix seconds. */
  readonly chainTime: number;
}

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../test/fixtures/release-before/${name}`, import.meta.url));

const secret = (text: string): Buffer => createHash('sha256').update(`keyfare fixture ${text}`).digest();

/** What callers of the release before were given: see the fixture's README. */
export function readFacts(): Facts {
  return JSON.parse(readFileSync(fixture('facts.json'), 'utf8')) as Facts;
}

/** A clock that goes on from the moment at which the fixture was made. */
export function clockOf({ madeAt }: Facts): Clock {
  const behindMs = Date.now() - Date.parse(madeAt);
  return () => new Date(Date.now() - behindMs);
}

/** Database, chain and secrets as the release before left them. Nothing is migrated yet. */
export async function openReleaseBefore(): Promise<Ground> {
  const directory = mkdtempSync(join(tmpdir(), 'keyfare-before-'));
  const statePath = join(directory, 'state.json');
  copyFileSync(fixture('chain.state'), statePath);
  const [database, chain] = await Promise.all([createTestDatabase(), startTestChain({ statePath })]);
  for (const role of ['keyfare_gate', 'keyfare_billing_reader']) {
    await adminQuery(
      database.url,
      `do $$ begin create role ${role} nologin; exception when duplicate_object or unique_violation then null; end $$`,
    );
  }
  await adminQuery(database.url, readFileSync(fixture('keyfare.sql'), 'utf8'));
  const { payTo, chainTime } = readFacts();
  // Authorizations are valid for a day at most: the chain goes on from the moment at which it stood.
  await callRpc(chain.rpcUrl, 'evm_setTime', [chainTime + 1]);
  // RFC 8410, section 7: an Ed25519 private key is its seed after this.
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret('receipts')]);
  const signing = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return {
    database,
    chain,
    payTo,
    env: {
      ...database.env,
      RPC_URL: chain.rpcUrl,
      PAY_TO: payTo,
      NETWORK: 'base-sepolia',
      SETTLER_PRIVATE_KEY: `0x${secret('settler').toString('hex')}`,
      RECEIPT_SIGNING_KEY: signing.export({ type: 'pkcs8', format: 'pem' }).toString(),
      API_KEY_PEPPERS: `p1:${secret('pepper').toString('base64url')}`,
    },
    close: async () => {
      await chain.kill();
      await database.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
