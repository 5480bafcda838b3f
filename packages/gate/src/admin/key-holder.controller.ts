import { Problem } from '@keyfare/core/problem';
import { Get, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OperatorDoor } from '../operators.js';
import { AccountService, GatePassport, KeyService } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';

const keyHolder = z
  .object({
    account: z.object({ id: z.string(), name: z.string() }),
    key: z.object({ id: z.string(), name: z.string(), expiresAt: z.iso.datetime().nullable() }),
  })
  .meta({ id: 'KeyHolder' });

/** Whose key it is that the request shows: for a program before which a customer signs in with it. */
@Free()
@OperatorDoor('admin/key-holder')
export class KeyHolderController {
  constructor(
    private readonly passport: GatePassport,
    private readonly accounts: AccountService,
    private readonly keys: KeyService,
  ) {}

  /** With no operator's token. 401 `credential/…` for a key that is none, and 429 after many from an address. */
  @Get()
  @Answers(200, keyHolder)
  async read(@Req() request: FastifyRequest): Promise<z.infer<typeof keyHolder>> {
    const principal = await this.passport.prove('api-key', request);
    if (principal?.kind !== 'account') {
      throw new Problem('credential/required', undefined, {
        headers: { 'www-authenticate': 'Bearer realm="keyfare"' },
      });
    }
    const [account, key] = await Promise.all([
      this.accounts.find(principal.accountId),
      this.keys.find(principal.keyId),
    ]);
    return {
      account: { id: account.id, name: account.name },
      key: { id: key.id, name: key.name, expiresAt: key.expiresAt?.toISOString() ?? null },
    };
  }
}
