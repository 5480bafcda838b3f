import type { Principal } from '@keyfare/core/principal';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { exchangeOf } from './exchange.js';

/** Who pays for this call: the account behind the key, or the payer behind the payment. Undefined on free routes. */
export const CurrentPrincipal = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Principal | undefined => {
    return exchangeOf(context.switchToHttp().getRequest<FastifyRequest>()).principal;
  },
);
