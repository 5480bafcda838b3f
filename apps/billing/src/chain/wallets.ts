import type { Hex } from '@keyfare/core/encoding';
import type { Clock } from '@keyfare/core/time';
import type { Token } from '@keyfare/core/x402';
import type { Sql } from '@keyfare/db/sql';
import type { Chain } from '@keyfare/evm/chain';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { clock, evmChain } from '../tokens.js';
import { watchOf } from '../watch.js';
import { ChainReader } from './chain-reader.js';
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
   * The wallets of the configuration, and every other that was read on this network before: when PAY_TO changes, payments
   * that were signed for the old wallet still settle, and the money that it holds is still ours. Each stands here once for
   * each token of the network: with USDC first.
   */
  async followed(sql: Sql): Promise<readonly Wallet[]> {
    const { network, payTo, furtherPayees } = this.config;
    const earlier = await sql.query<{ pay_to: Hex }>({
      text: `select distinct pay_to from billing.chain_cursor where network = $1 and pay_to <> $2 order by pay_to`,
      values: [network.caip2, payTo],
    });
    const all = new Set([payTo, ...furtherPayees, ...earlier.map(({ pay_to: other }) => other)]);
    return network.tokens.flatMap((token) => [...all].map((each) => this.#wallet(token, each)));
  }

  /**
   * The block from which a wallet is to be read that was not read before. Another token than USDC could not be sold while
   * USDC alone was read, so it begins where USDC is final: a node may no longer have the balances of older blocks.
   */
  async startOf(sql: Sql, { token, payTo }: Wallet): Promise<bigint> {
    const { network, chainStartBlock } = this.config;
    if (token === network.usdc) return chainStartBlock;
    const cursor = await this.#wallet(network.usdc, payTo).store.cursor(sql);
    if (cursor === null) return chainStartBlock;
    const { blockNumber, finalizedNumber } = cursor;
    const read = blockNumber < finalizedNumber ? blockNumber : finalizedNumber;
    return read < chainStartBlock ? chainStartBlock : read + 1n;
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
