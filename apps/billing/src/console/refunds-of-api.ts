import { SessionCookie, shownToken } from '@keyfare/gate/operators';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ApiClient } from './api-client.js';

const credited = z.looseObject({ state: z.literal('credited') });

/** The refunds that the API pays. */
@Injectable()
export class RefundsOfApi {
  constructor(
    private readonly api: ApiClient,
    private readonly cookie: SessionCookie,
  ) {}

  /**
   * Tells the API, as the operator who asks, that what the entry says is owed becomes credit: from then on it pays no
   * refund of it. Asked twice it answers the same. 409 `refund/conflict` while one is proposed or was paid.
   */
  async credit(asked: FastifyRequest, entry: string): Promise<void> {
    await this.api.json(credited, {
      method: 'POST',
      path: `/admin/refunds/${entry}/credit`,
      token: shownToken(asked, this.cookie)?.token ?? null,
      address: asked.ip,
    });
  }
}
