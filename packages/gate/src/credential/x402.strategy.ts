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
    try {
      const header = extractPayment(request as FastifyRequest);
      const proven = header === null ? null : this.resolve(header);
      if (proven instanceof Promise)
        proven.then(
          (principal) => this.conclude(principal),
          (error: unknown) => this.error(error as Error),
        );
      else this.conclude(proven);
    } catch (error) {
      this.error(error as Error);
    }
  }

  private conclude(principal: PayerPrincipal | null): void {
    if (principal === null) this.fail(challenge, 401);
    else this.success(principal);
  }
}
