import type { Hex } from '@keyfare/core/encoding';
import type { Clock } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import type { Chain } from '@keyfare/evm/chain';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { clock, evmChain } from '../tokens.js';
import { ChainReader } from './chain-reader.js';
import { ChainStore } from './chain-store.js';

/** A wallet whose transfers are read: what reads them, and where they are kept. */
export interface Wallet {
  readonly payTo: Hex;
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
   * that were signed for the old wallet still settle, and the money that it holds is still ours.
   */
  async followed(sql: Sql): Promise<readonly Wallet[]> {
    const { network, payTo, furtherPayees } = this.config;
    const earlier = await sql.query<{ pay_to: Hex }>({
      text: `select pay_to from billing.chain_cursor where network = $1 and asset = $2 and pay_to <> $3 order by pay_to`,
      values: [network.caip2, network.usdc.address, payTo],
    });
    const all = new Set([payTo, ...furtherPayees, ...earlier.map(({ pay_to: other }) => other)]);
    return [...all].map((each) => this.#wallet(each));
  }

  #wallet(payTo: Hex): Wallet {
    const known = this.#known.get(payTo);
    if (known !== undefined) return known;
    const { network, chainStartBlock: startBlock, chainConfirmations: confirmations } = this.config;
    const reader = new ChainReader({ chain: this.chain, network, payTo, startBlock, confirmations, clock: this.now });
    const wallet = { payTo, reader, store: new ChainStore(this.config, payTo) };
    this.#known.set(payTo, wallet);
    return wallet;
  }
}
