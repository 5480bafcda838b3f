import { OperatorGuard } from '@keyfare/gate/server';
import { KeyService } from '@keyfare/gate/services';
import { Free } from '@keyfare/gate/tariff';
import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { keyView, viewKey } from './views.js';

const rotation = z
  .object({ graceSeconds: z.int().min(0).max(2_592_000).default(86_400) })
  .meta({ id: 'Rotation', description: 'How long the old secret lives after the new one is first used' });
const rotatedKey = z.object({ key: keyView, secret: z.string() }).meta({ id: 'RotatedKey' });

/** One key, for operators. */
@Free()
@UseGuards(OperatorGuard)
@ApiBearerAuth()
@Controller('admin/keys')
export class KeysController {
  constructor(private readonly keys: KeyService) {}

  @Get(':id')
  @ApiOkResponse({ standardSchema: keyView })
  async find(@Param('id') id: string): Promise<z.infer<typeof keyView>> {
    return viewKey(await this.keys.find(id));
  }

  /** The key keeps its id, its meter and its scopes; only the secret changes. */
  @Post(':id/rotate')
  @ApiCreatedResponse({ standardSchema: rotatedKey })
  async rotate(
    @Param('id') id: string,
    @Body({ schema: rotation }) body: z.infer<typeof rotation>,
  ): Promise<z.infer<typeof rotatedKey>> {
    const { key, secret } = await this.keys.rotate(id, body.graceSeconds);
    return { key: viewKey(key), secret };
  }

  @Post(':id/revoke')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: keyView })
  async revoke(@Param('id') id: string): Promise<z.infer<typeof keyView>> {
    return viewKey(await this.keys.revoke(id));
  }
}
