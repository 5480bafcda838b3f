import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  operatorOf,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  requireMatch,
  Tagged,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, Inject, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BillingConfig } from '../config.js';
import { clock } from '../tokens.js';
import { addWallet, changeWallet, findWallet, isOurs, listWallets } from './registry.js';
import { walletKinds } from './wallet.entity.js';
import { givenOf, settledPart, viewWallet, walletNaming, walletView } from './wallet-view.js';

const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, 'must be a wallet');
const query = z.strictObject({ ...pageQuery, kind: z.enum(walletKinds).optional() });
const page = pageOf(walletView).meta({ id: 'WalletPage' });
const request = walletNaming.extend({ address }).meta({ id: 'WalletRequest' });
const change = walletNaming
  .partial()
  .refine((given) => Object.keys(given).length > 0, { error: 'must change something' })
  .meta({ id: 'WalletChange' });

type View = z.infer<typeof walletView>;

/** The wallets that are known on the network: ours, those of other services, and others that have a name. */
@ApiBearerAuth()
@Admin('wallets')
export class WalletController {
  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    private readonly changes: Changes,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** By address. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(@Query({ schema: query }) { cursor, limit, kind }: z.infer<typeof query>): Promise<z.infer<typeof page>> {
    const [after = null] = readCursor('wallets', cursor, [positions.id]) ?? [];
    return toPage(await listWallets(this.sql, this.#network, { after, limit, kind }), {
      list: 'wallets',
      limit,
      position: (wallet) => [wallet.address],
      view: viewWallet,
    });
  }

  @Get(':address')
  @Tagged(settledPart)
  @ApiOkResponse({ standardSchema: walletView })
  async find(@Param('address', idParam) given: string): Promise<View> {
    return viewWallet(await findWallet(this.sql, this.#network, { address: given }));
  }

  /** From the next look at the chain on it is followed, if it is ours, and what was booked with it before is moved. */
  @Post()
  @Needs('money')
  @ApiCreatedResponse({ standardSchema: walletView })
  async add(@Req() asked: FastifyRequest, @Body({ schema: request }) given: z.infer<typeof request>): Promise<View> {
    return this.changes.make(asked, 'wallet.add', async (tx) => {
      const wallet = { ...givenOf(given), address: given.address };
      const by = operatorOf(asked).name;
      const after = viewWallet(await addWallet(tx, this.#network, { given: wallet, by, at: this.now() }));
      return { subject: after.address, before: null, after, answer: after };
    });
  }

  /** Only what is named changes, and only of the version that `If-Match` names. */
  @Patch(':address')
  @Needs('money')
  @Tagged(settledPart)
  @ApiOkResponse({ standardSchema: walletView })
  async change(
    @Req() asked: FastifyRequest,
    @Param('address', idParam) named: string,
    @Body({ schema: change }) { since, ...given }: z.infer<typeof change>,
  ): Promise<View> {
    return this.changes.make(asked, 'wallet.change', async (tx) => {
      const found = await findWallet(tx, this.#network, { address: named, lock: true });
      const before = viewWallet(found);
      requireMatch(asked, settledPart(before));
      const { payTo, furtherPayees } = this.config;
      const isConfigured = [payTo, ...furtherPayees].some((wallet) => wallet === found.address);
      if (isConfigured && !isOurs(given.kind ?? found.kind)) {
        throw new Problem('wallet/conflict', 'Payments go to this wallet by the configuration: it is ours.');
      }
      const changed = { ...given, ...(since !== undefined && { since: new Date(since) }) };
      const after = viewWallet(await changeWallet(tx, found, changed));
      return { subject: found.address, before, after, answer: after };
    });
  }

  get #network(): string {
    return this.config.network.caip2;
  }
}
