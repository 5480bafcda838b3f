import { type Chain, openChain, type RpcObserver } from '@keyfare/evm/chain';
import { createSettlerWallet, type SettlerWallet } from '@keyfare/evm/settler';
import { ConfigurationError, type GateConfig, type NetworkSettings } from './config.js';
import { otherChainFault, servesOtherChain } from './other-chain.js';
import { suffixOf } from './production-config.js';

/** Gas that a settlement of one payment uses, more or less: its limit is well above. */
export const transferGas = 90_000n;

/** A network that payments are taken on: its settings, a node, and the wallet that settles there. */
export interface NetworkAccess {
  readonly settings: NetworkSettings;
  readonly chain: Chain;
  readonly wallet: SettlerWallet;
  /** Wallets that settled here before. */
  readonly previousWallets: readonly SettlerWallet[];
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

  /**
   * As `find`. Throws for a network that payments are not taken on, such as one that was taken out of the
   * configuration.
   */
  get(caip2: string): NetworkAccess {
    const found = this.#byId.get(caip2);
    if (found === undefined) throw new Error(`payments on ${caip2} are not configured`);
    return found;
  }
}

/**
 * Opens every configured network, and asks each node once which chain it serves. In production one of another chain is
 * a `ConfigurationError`; one that does not answer in time stops nothing, for no answer of it will count before that is
 * right.
 */
export async function openNetworks(config: GateConfig, observe: (network: string) => RpcObserver): Promise<Networks> {
  const all = await Promise.all(
    config.networks.map(async (settings) => {
      const { network, rpcUrl, settlerKey, previousSettlerKeys, gasLimit } = settings;
      const { rpcTimeoutMs: timeoutMs, rpcBatchCalls: maxBatchCalls } = config;
      const observer = observe(network.caip2);
      const chain = openChain({ rpcUrl, chainId: network.chainId, timeoutMs, maxBatchCalls, observer });
      const open = async (privateKey: `0x${string}`): Promise<SettlerWallet> =>
        createSettlerWallet({ privateKey, chain, gasLimit });
      const [wallet, ...previousWallets] = await Promise.all([open(settlerKey), ...previousSettlerKeys.map(open)]);
      return { settings, chain, wallet, previousWallets };
    }),
  );
  if (config.isProduction) await refuseOtherChains(all, config);
  return new Networks(all);
}

async function refuseOtherChains(all: readonly NetworkAccess[], config: GateConfig): Promise<void> {
  const faults = await Promise.all(
    all.map(async ({ chain, settings: { network } }, index) => {
      const name = index === 0 ? 'RPC_URL' : `RPC_URL${suffixOf(network)}`;
      return (await servesOtherChain(chain)) ? [config.inOptionNames(otherChainFault(name, network))] : [];
    }),
  );
  if (faults.flat().length === 0) return;
  for (const { chain } of all) chain.close();
  throw new ConfigurationError(faults.flat());
}
