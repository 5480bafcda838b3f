import type { AccountPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';
import { Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';

/** Lets customers in by their key, on routes that cost nothing. Without one: 401 `credential/required`. */
@Injectable()
export class AccountGuard extends AuthGuard('api-key') {
  override handleRequest<User = AccountPrincipal>(error: unknown, user: User | false): User {
    if (error !== null && error !== undefined) throw error;
    if (user !== false) return user;
    throw new Problem('credential/required', undefined, { headers: { 'www-authenticate': 'Bearer realm="keyfare"' } });
  }
}
