import type { PayerPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';
import { parsePaymentHeader, type SignatureVerifier } from '@keyfare/core/x402';
import { Inject, Injectable } from '@nestjs/common';
import { Networks } from '../networks.js';
import { signatureVerifier } from '../tokens.js';
import { exactScheme } from './exact.scheme.js';
import type { Scheme } from './scheme.js';

/**
 * Proves which wallet signed a payment. It claims nothing, asks neither chain nor database, nor what the payment is
 * for.
 */
@Injectable()
export class PaymentResolver {
  readonly #scheme: Scheme;

  constructor(
    @Inject(signatureVerifier) verifier: SignatureVerifier,
    private readonly networks: Networks,
  ) {
    this.#scheme = exactScheme(verifier);
  }

  /**
   * The payer behind a presented payment. Where the signature is not that of the payer's key, `proof` is `code`: the
   * payer may be a contract that judges signatures itself (ERC-1271), which the hold asks of the chain before anything
   * is done. Throws 400 `payment/malformed` or `payment/unsupported-version`, and 402 `payment/unsupported`.
   */
  async resolve(header: { name: 'PAYMENT-SIGNATURE' | 'X-PAYMENT'; value: string }): Promise<PayerPrincipal> {
    const presented = parsePaymentHeader(header.name, header.value);
    const access = this.networks.find(presented.network);
    if (access === undefined) {
      const taken = this.networks.all.map(({ settings }) => settings.network.caip2).join(', ');
      throw new Problem('payment/unsupported', `Payments are taken on ${taken}, not on ${presented.network}.`);
    }
    const payment = this.#scheme.prove(presented, access);
    return { kind: 'payer', payer: payment.authorization.from, network: presented.network, payment };
  }
}
