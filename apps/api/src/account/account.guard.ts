import type { AccountPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';
import { GatePassport } from '@keyfare/gate/services';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';

/** Lets customers in by their key, on routes that cost nothing. Without one: 401 `credential/required`. */
@Injectable()
export class AccountGuard implements CanActivate {
  constructor(private readonly passport: GatePassport) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<{ user?: AccountPrincipal }>();
    const principal = await this.passport.prove('api-key', request);
    if (principal?.kind !== 'account') {
      throw new Problem('credential/required', undefined, {
        headers: { 'www-authenticate': 'Bearer realm="keyfare"' },
      });
    }
    request.user = principal;
    return true;
  }
}
