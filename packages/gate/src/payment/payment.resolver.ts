import type { PayerPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';
import { checkSignature, type PresentedPayment, parsePaymentHeader, type SignatureVerifier } from '@keyfare/core/x402';
import { type Chain, ChainUnavailable } from '@keyfare/evm/chain';
import { Inject, Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { evmChain, signatureVerifier } from '../tokens.js';

/** Proves which wallet signed a payment. It claims nothing and does not ask what the payment is for. */
@Injectable()
export class PaymentResolver {
  constructor(
    private readonly config: GateConfig,
    @Inject(signatureVerifier) private readonly verifier: SignatureVerifier,
    @Inject(evmChain) private readonly chain: Chain,
  ) {}

  /**
   * The payer behind a presented payment. Throws 400 `payment/malformed` or `payment/unsupported-version`, 402
   * `payment/unsupported` or `payment/invalid-signature`, and 503 where only the chain could tell and is away.
   */
  async resolve(header: { name: 'PAYMENT-SIGNATURE' | 'X-PAYMENT'; value: string }): Promise<PayerPrincipal> {
    const presented = parsePaymentHeader(header.name, header.value);
    const { network } = this.config;
    if (presented.network !== network.caip2) {
      throw new Problem('payment/unsupported', `Payments are taken on ${network.caip2}, not on ${presented.network}.`);
    }
    const signature = await this.#prove(presented);
    return {
      kind: 'payer',
      payer: presented.authorization.from,
      network: network.caip2,
      payment: {
        x402Version: presented.x402Version,
        network,
        asset: network.usdc,
        authorization: presented.authorization,
        signature,
      },
    };
  }

  async #prove(presented: PresentedPayment): Promise<`0x${string}`> {
    const { authorization, signature } = presented;
    const { network } = this.config;
    const terms = { network, asset: network.usdc };
    const verdict = checkSignature({ authorization, signature, terms, verifier: this.verifier });
    if (verdict.ok) return verdict.signature;
    // Not this key's signature. The payer may be a contract that judges signatures itself (ERC-1271).
    if (await this.#acceptedByContract(presented)) return signature;
    throw new Problem(verdict.code, verdict.detail);
  }

  async #acceptedByContract({ authorization, signature }: PresentedPayment): Promise<boolean> {
    const asset = this.config.network.usdc.address;
    try {
      const { hasCode } = await this.chain.readPayer({ asset, payer: authorization.from, nonce: authorization.nonce });
      return hasCode && (await this.chain.simulateTransfer({ asset, authorization, signature })).ok;
    } catch (error) {
      if (error instanceof ChainUnavailable)
        throw new Problem('service/chain-unavailable', undefined, { cause: error });
      throw error;
    }
  }
}
