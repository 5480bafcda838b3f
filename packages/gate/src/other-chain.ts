import type { Network } from '@keyfare/core/x402';
import { type Chain, ChainError } from '@keyfare/evm/chain';

/** Whether the node answers, and for another chain than it should. One that does not answer in time may be right. */
export async function servesOtherChain(chain: Pick<Chain, 'checkChainId'>): Promise<boolean> {
  return chain.checkChainId().then(() => false, isOtherChain);
}

/** The fault of a setting that names such a node. */
export function otherChainFault(setting: string, { name, chainId }: Network): string {
  return `${setting} is a node of another chain: name one of ${name}, whose chain id is ${chainId}`;
}

/** Whether a chain can be asked, or why not. */
export type ChainState = 'up' | 'down' | 'wrong-chain';

/** The state of the one that is worst off. */
export async function chainState(chains: readonly Pick<Chain, 'blockNumber'>[]): Promise<ChainState> {
  const answers = await Promise.allSettled(chains.map(async (chain) => chain.blockNumber()));
  const errors = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
  if (errors.some(isOtherChain)) return 'wrong-chain';
  return errors.length === 0 ? 'up' : 'down';
}

/** Whether the error says that a node serves another chain than it should. */
export function isOtherChain(error: unknown): boolean {
  return error instanceof ChainError && error.kind === 'wrong-chain';
}
