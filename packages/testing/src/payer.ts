import { randomBytes } from 'node:crypto';
import { parseMoney } from '@keyfare/core/money';
import type { Clock } from '@keyfare/core/time';
import { findNetwork } from '@keyfare/core/x402';
import { paymentHeaderV2, type Requirements, signAuthorization } from '@keyfare/devstack/payers';
import type { Address, Hex } from 'viem';
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';
import type { TestChain } from './chain/index.js';

/** A payment that was signed: the headers that present it, once or again. */
export interface SignedPayment {
  /** `PAYMENT-SIGNATURE`, and the `Idempotency-Key` under which the stored answer comes back to its owner. */
  readonly headers: Readonly<Record<string, string>>;
  /** Atomic units of USDC. */
  readonly amount: bigint;
  readonly nonce: Hex;
}

/** A wallet with USDC on the chain of the test. */
export interface Payer {
  readonly address: Address;
  readonly privateKey: Hex;
  /**
   * For clients of your own: `new ExactEvmScheme(payer.account)`. Their times are the machine's, not those of the
   * test's clock.
   */
  readonly account: PrivateKeyAccount;
  /** USDC that it has, in atomic units. */
  readonly balance: bigint;
  /**
   * Sends the request; on 402 signs the first offer that it can pay, and sends the request again with the payment. Any
   * other answer comes back as it is. A body must be one that can be sent twice: a text or bytes.
   */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /** Signs the first offer of a 402 that it can pay, without looking at its balance. Throws when there is none. */
  sign(required: Response): Promise<SignedPayment>;
}

/** How much a payer has. */
export interface PayerOptions {
  /** A plain decimal; '0' for one that cannot pay. @default '100' */
  readonly usdc?: string;
}

/** Makes a new wallet on the chain. Its offers are read as x402 version 2 has them, its times are the clock's. */
export function openPayer(chain: TestChain, clock: Clock, { usdc = '100' }: PayerOptions = {}): Payer {
  const privateKey: Hex = `0x${randomBytes(32).toString('hex')}`;
  const account = privateKeyToAccount(privateKey);
  const { address } = account;
  chain.setBalance(address, parseMoney('USDC', usdc).atomic);
  const sign = async (required: Response): Promise<SignedPayment> => {
    const offer = offerOf(required, chain);
    const { chainId, usdc: token } = chain.network;
    const validBefore = BigInt(Math.floor(clock().getTime() / 1_000) + offer.maxTimeoutSeconds);
    const payload = await signAuthorization({
      payer: { address, privateKey, account },
      to: offer.payTo as Address,
      value: BigInt(offer.amount),
      validBefore,
      domain: { name: token.name, version: token.version, chainId, verifyingContract: token.address },
    });
    const { nonce } = payload.authorization;
    const header = paymentHeaderV2({ payload, accepted: offer });
    return { headers: { 'payment-signature': header, 'idempotency-key': nonce }, amount: BigInt(offer.amount), nonce };
  };
  return {
    address,
    privateKey,
    account,
    sign,
    get balance() {
      return chain.balanceOf(address);
    },
    fetch: async (url, init = {}) => {
      const first = await fetch(url, init);
      if (first.status !== 402 || !first.headers.has('payment-required')) return first;
      const headers = new Headers(init.headers);
      for (const [name, value] of Object.entries((await sign(first)).headers)) headers.set(name, value);
      return fetch(url, { ...init, headers });
    },
  };
}

/** The first offer of scheme `exact` in USDC on this chain. */
function offerOf({ status, headers }: Response, { network }: TestChain): Requirements {
  const header = headers.get('payment-required');
  if (header === null) throw new Error(`an answer of ${String(status)} without PAYMENT-REQUIRED offers nothing to pay`);
  const { accepts } = JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as { accepts: Requirements[] };
  const offer = accepts.find(
    ({ scheme, network: name, asset }) =>
      scheme === 'exact' && findNetwork(name) === network && asset.toLowerCase() === network.usdc.address,
  );
  if (offer === undefined) throw new Error(`no offer of scheme exact in USDC on ${network.name}`);
  return offer;
}
