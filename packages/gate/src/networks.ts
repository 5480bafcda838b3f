import type { Address } from '@keyfare/core/x402';
import { type Chain, openChain } from '@keyfare/evm/chain';
import { createSettlerWallet, type SettlerWallet } from '@keyfare/evm/settler';
import type { GateConfig, NetworkSettings } from './config.js';

/** A network that payments are taken on: its settings, a node, and the wallet that settles there. */
export interface NetworkAccess {
  readonly settings: NetworkSettings;
  readonly chain: Chain;
  readonly wallet: SettlerWallet;
}

/** The networks that payments are taken on, the default one first. */
export class Networks {
  readonly #byId: ReadonlyMap<string, NetworkAccess>;

  constructor(readonly all: readonly NetworkAccess[]) {
    this.#byId = new Map(all.map((access) => [access.settings.network.caip2, access]));
  }

  /** The network with that CAIP-2 identifier; undefined where payments are not taken. */
  find(caip2: string): NetworkAccess | undefined {
    return this.#byId.get(caip2);
  }

  /** As `find`. Throws for a network that payments are not taken on, such as one that was taken out of the configuration. */
  get(caip2: string): NetworkAccess {
    const found = this.#byId.get(caip2);
    if (found === undefined) throw new Error(`payments on ${caip2} are not configured`);
    return found;
  }

  /** The asset's contract on a network, or undefined. */
  usdcOf(caip2: string): Address | undefined {
    return this.#byId.get(caip2)?.settings.network.usdc.address;
  }
}

/** Opens every configured network. No node is asked: the first question is. */
export async function openNetworks(config: GateConfig): Promise<Networks> {
  return new Networks(
    await Promise.all(
      config.networks.map(async (settings) => {
        const { network, rpcUrl, settlerKey, gasLimit } = settings;
        const { rpcTimeoutMs: timeoutMs, rpcBatchCalls: maxBatchCalls } = config;
        const chain = openChain({ rpcUrl, chainId: network.chainId, timeoutMs, maxBatchCalls });
        return { settings, chain, wallet: await createSettlerWallet({ privateKey: settlerKey, chain, gasLimit }) };
      }),
    ),
  );
}
