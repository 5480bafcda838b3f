import type { PayerPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';
import { checkSignature, type PresentedPayment, parsePaymentHeader, type SignatureVerifier } from '@keyfare/core/x402';
import type { Chain } from '@keyfare/evm/chain';
import { Inject, Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { evmChain, signatureVerifier } from '../tokens.js';
import { toProblem } from './answers.js';
import { PaymentService } from './payment.service.js';

/** Proves which wallet signed a payment. It claims nothing and does not ask what the payment is for. */
@Injectable()
export class PaymentResolver {
  constructor(
    private readonly config: GateConfig,
    @Inject(signatureVerifier) private readonly verifier: SignatureVerifier,
    @Inject(evmChain) private readonly chain: Chain,
    private readonly payments: PaymentService,
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
    const terms = { network, asset: network.usdc };
    const { authorization, signature } = presented;
    const verdict = checkSignature({ authorization, signature, terms, verifier: this.verifier });
    if (verdict.ok) return this.#principal(presented, verdict.signature);
    // Not this key's signature. The payer may be a contract that judges signatures itself (ERC-1271).
    const principal = this.#principal(presented, signature);
    if (await this.#acceptedByContract(principal)) return principal;
    throw new Problem(verdict.code, verdict.detail);
  }

  #principal({ x402Version, authorization }: PresentedPayment, signature: `0x${string}`): PayerPrincipal {
    const { network } = this.config;
    return {
      kind: 'payer',
      payer: authorization.from,
      network: network.caip2,
      payment: { x402Version, network, asset: network.usdc, authorization, signature },
    };
  }

  /**
   * The proof is the transfer, tried. Once it was made it cannot be made again, so a payment that was submitted before is
   * recognised by its row: whoever presents the same bytes proves no less than they did then. The row is asked twice,
   * for the transfer may be made while it is tried here.
   */
  async #acceptedByContract(principal: PayerPrincipal): Promise<boolean> {
    if (await this.payments.isKnown(principal)) return true;
    const { authorization, signature } = principal.payment;
    const asset = this.config.network.usdc.address;
    try {
      const { hasCode } = await this.chain.readPayer({ asset, payer: authorization.from, nonce: authorization.nonce });
      const isTaken = hasCode && (await this.chain.simulateTransfer({ asset, authorization, signature })).ok;
      return isTaken || (await this.payments.isKnown(principal));
    } catch (error) {
      throw toProblem(error);
    }
  }
}
