import type { Address, VerifiedPayment } from '../x402/index.js';

/** An account, proven by an API key. What it agreed and whether it may call are its terms, not its identity. */
export interface AccountPrincipal {
  readonly kind: 'account';
  readonly accountId: string;
  readonly keyId: string;
  /** Which secret of the key was presented; a rotation changes it and nothing else. */
  readonly secretId: string;
  readonly environment: 'live' | 'test';
  readonly scopes: readonly string[];
}

/** A payer, proven by the signature of a payment. */
export interface PayerPrincipal {
  readonly kind: 'payer';
  /** Lower-case. */
  readonly payer: Address;
  /** CAIP-2, such as `eip155:8453`. */
  readonly network: string;
  readonly payment: VerifiedPayment;
}

/** Who a credential proves: an account by its key, or a payer by its wallet. */
export type Principal = AccountPrincipal | PayerPrincipal;
