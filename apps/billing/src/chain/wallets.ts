import type { Hex } from '@keyfare/core/encoding';
import type { Clock } from '@keyfare/core/time';
import type { Token } from '@keyfare/core/x402';
import type { Sql } from '@keyfare/db/sql';
import type { Chain } from '@keyfare/evm/chain';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { clock, evmChain } from '../tokens.js';
import { watchOf } from '../watch.js';
import { ChainReader, type ChainStart } from './chain-reader.js';
import { ChainStore } from './chain-store.js';

/** A wallet whose transfers of a token are read: what reads them, and where they are kept. */
export interface Wallet {
  readonly payTo: Hex;
  readonly token: Token;
  readonly reader: ChainReader;
  readonly store: ChainStore;
}

/** The wallets whose transfers go into the books. */
@Injectable()
export class Wallets {
  readonly #known = new Map<string, Wallet>();

  constructor(
    private readonly config: BillingConfig,
    @Inject(evmChain) private readonly chain: Chain,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * The wallets of the configuration, those of ours that operators have named, and every other that was read on this
   * network before: when PAY_TO changes, payments that were signed for the old wallet still settle, and the money that
   * it holds is still ours. Each stands
   * here once for each token of the network, those first that were not read before: where one begins is told by where
   * USDC stands.
   */
  async followed(sql: Sql): Promise<readonly Wallet[]> {
    const { network, payTo, furtherPayees } = this.config;
    const read = await sql.query<{ watch: string; pay_to: Hex }>({
      text: `select watch, pay_to from billing.chain_cursor where network = $1 order by pay_to`,
      values: [network.caip2],
    });
    const named = await sql.query<{ address: Hex }>({
      text: `select address from billing.wallet where network = $1 and kind in ('till', 'treasury', 'settler')
        order by address`,
      values: [network.caip2],
    });
    const all = new Set([
      payTo,
      ...furtherPayees,
      ...read.map(({ pay_to: other }) => other),
      ...named.map(({ address }) => address),
    ]);
    const wallets = network.tokens.flatMap((token) => [...all].map((each) => this.#wallet(token, each)));
    const known = new Set(read.map(({ watch }) => watch));
    return wallets.toSorted((a, b) => Number(known.has(a.store.watch)) - Number(known.has(b.store.watch)));
  }

  /**
   * From where a wallet is to be read that was not read before. Another token than USDC could not be sold while USDC
   * alone was read, so it begins where USDC is final, or later: a node may no longer have the balances of older blocks.
   */
  async startOf(sql: Sql, { token, payTo }: Wallet): Promise<ChainStart> {
    const { network, chainStartBlock } = this.config;
    const atFirst = { startBlock: chainStartBlock, mayBeLater: false };
    if (token === network.usdc) return atFirst;
    const cursor = await this.#wallet(network.usdc, payTo).store.cursor(sql);
    if (cursor === null) return atFirst;
    const { blockNumber, finalizedNumber } = cursor;
    const read = blockNumber < finalizedNumber ? blockNumber : finalizedNumber;
    return read < chainStartBlock ? atFirst : { startBlock: read + 1n, mayBeLater: true };
  }

  #wallet(token: Token, payTo: Hex): Wallet {
    const name = watchOf(this.config.network, token, payTo);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { chainConfirmations: confirmations } = this.config;
    const reader = new ChainReader({ chain: this.chain, token, payTo, confirmations, clock: this.now });
    const wallet = { payTo, token, reader, store: new ChainStore(this.config, token, payTo) };
    this.#known.set(name, wallet);
    return wallet;
  }
}
