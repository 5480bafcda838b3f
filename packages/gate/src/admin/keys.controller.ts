import { Body, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Admin, Changes, idParam, requireMatch, Sensitive } from '../operators.js';
import { KeyService } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { issuedKey, keyView, viewKey } from './views.js';

const rotation = z
  .strictObject({ graceSeconds: z.int().min(0).max(2_592_000).default(86_400) })
  .default({ graceSeconds: 86_400 })
  .meta({ id: 'Rotation', description: 'How long the old secret lives after the new one is first used' });

/** One key, for operators. */
@Free()
@Admin('admin/keys')
export class KeysController {
  constructor(
    private readonly changes: Changes,
    private readonly keys: KeyService,
  ) {}

  @Get(':id')
  @Answers(200, keyView)
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof keyView>> {
    return viewKey(await this.keys.find(id));
  }

  /**
   * The key keeps its id, its meter and its scopes; only the secret changes. A secret that was rotated in before and
   * waits for its first use is replaced only by who has seen it: 409 without `If-Match`, 412 with another version's.
   */
  @Post(':id/rotate')
  @Sensitive()
  @Answers(201, issuedKey)
  async rotate(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: rotation }) { graceSeconds }: z.infer<typeof rotation>,
  ): Promise<z.infer<typeof issuedKey>> {
    return this.changes.make(request, 'key.rotate', async (tx) => {
      const before = viewKey(await this.keys.lock(tx, id));
      const replacesPending = request.headers['if-match'] !== undefined;
      if (replacesPending) requireMatch(request, before);
      const { key, secret } = await this.keys.rotate(id, { graceSeconds, replacesPending }, tx);
      const after = viewKey(key);
      return { subject: id, before, after, answer: { key: after, secret } };
    });
  }

  @Post(':id/revoke')
  @Sensitive()
  @HttpCode(200)
  @Answers(200, keyView)
  async revoke(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof keyView>> {
    return this.changes.make(request, 'key.revoke', async (tx) => {
      const before = viewKey(await this.keys.lock(tx, id));
      const after = viewKey(await this.keys.revoke(id, tx));
      return { subject: id, before, after, answer: after };
    });
  }
}
