import type { TokenCode } from '@keyfare/core/money';
import { findNetwork, findToken, networks, tokenBySymbol } from '@keyfare/core/x402';
import { address } from './setting.js';

/** What an offer says of where and in what it is paid. */
export interface OfferedAsset {
  readonly network?: string | undefined;
  readonly asset?: string | undefined;
}

/** The same, read: the network by its CAIP-2 identifier, undefined for the gate's own. */
export interface PaidIn {
  readonly network: string | undefined;
  readonly asset: TokenCode;
}

const symbols = [...new Set(networks.flatMap(({ tokens }) => tokens.map(({ symbol }) => symbol)))];

/**
 * The network and the asset of an offer. A contract stands on one network, so it names that one where the offer names
 * none. Tells a fault of a network that payments are not taken on, of a token that none has, and of one that this one
 * has not; what comes back then is not to be used.
 */
export function readAsset({ network: name, asset }: OfferedAsset, faults: string[]): PaidIn {
  const network = name === undefined ? undefined : findNetwork(name);
  if (network === null) {
    faults.push(`accepts names the network ${JSON.stringify(name)}, on which no payments are taken`);
  }
  if (asset === undefined) return { network: network?.caip2, asset: 'USDC' };
  const symbol = symbols.find((one) => one === asset);
  if (symbol !== undefined) {
    if (network && tokenBySymbol(network, symbol) === null) faults.push(`${symbol} is not taken on ${network.name}`);
    return { network: network?.caip2, asset: symbol };
  }
  const found = networks.find((one) => findToken(one, asset) !== null);
  const token = found && findToken(found, asset);
  if (found === undefined || !token || !address.safeParse(asset).success) {
    faults.push(`accepts asks for the asset ${JSON.stringify(asset)}: say ${symbols.join(' or ')}, or its contract`);
    return { network: network?.caip2, asset: 'USDC' };
  }
  if (network && network !== found) {
    faults.push(`accepts asks for ${token.symbol} of ${found.name} on ${network.name}: name one network`);
  }
  return { network: found.caip2, asset: token.symbol };
}
