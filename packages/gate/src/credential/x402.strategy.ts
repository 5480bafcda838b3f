import type { PayerPrincipal } from '@keyfare/core/principal';
import type { FastifyRequest } from 'fastify';
import { Strategy } from 'passport-strategy';
import { extractPayment, type PaymentHeader } from './extract.js';
import type { Resolver } from './resolver.js';

const challenge = 'x402';

/**
 * Passport's `x402`: a shim over the payment resolver. Without a payment it fails, so that another strategy may
 * try; with a signed one it succeeds with the payer; with a bad one it ends in the resolver's problem. Nothing is
 * claimed here.
 */
export class X402Strategy extends Strategy {
  readonly name = 'x402';

  constructor(private readonly resolve: Resolver<PaymentHeader, PayerPrincipal>) {
    super();
  }

  override authenticate(request: unknown): void {
    this.prove(request as FastifyRequest).then(
      (principal) => (principal === null ? this.fail(challenge, 401) : this.success(principal)),
      (error: unknown) => this.error(error as Error),
    );
  }

  private async prove(request: FastifyRequest): Promise<PayerPrincipal | null> {
    const header = extractPayment(request);
    return header === null ? null : this.resolve(header);
  }
}
