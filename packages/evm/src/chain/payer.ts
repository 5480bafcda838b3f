import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { checkAddress, encodeAuthorizationState, encodeBalanceOf } from './calldata.js';
import { malformed, toQuantity } from './decode.js';
import { ChainError, isRevert, toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';

/** Whose balance to ask for, at the latest block. */
export interface BalanceQuestion {
  readonly asset: Address;
  readonly payer: Address;
}

/** Which payment to ask about. */
export interface PayerQuestion extends BalanceQuestion {
  /** Of the authorization; 32 bytes. */
  readonly nonce: Hex;
  /**
   * Number of the block whose state is asked for; default: the latest. A node that does not have it gives no answer.
   */
  readonly block?: bigint;
}

/** What the chain says about a payer. */
export interface PayerState {
  /** Atomic units of the asset. */
  readonly balance: bigint;
  /** The authorization was used or canceled. */
  readonly authorizationUsed: boolean;
  /** The payer is a contract, or a key that delegated to one (EIP-7702): the token asks it, not its key (ERC-1271). */
  readonly hasCode: boolean;
}

/** Three reads in the batch of this turn. See `Chain.readPayer`. */
export async function readPayer(rpc: Rpc, { asset, payer, nonce, block }: PayerQuestion): Promise<PayerState> {
  const at = block === undefined ? 'latest' : toQuantity(block);
  const balanceParams = callParams(asset, encodeBalanceOf(payer), at);
  const stateParams = callParams(asset, encodeAuthorizationState(payer, nonce), at);
  try {
    const [balance, used, code] = await Promise.all([
      rpc.call('eth_call', balanceParams),
      rpc.call('eth_call', stateParams),
      rpc.call('eth_getCode', `["${payer}","${at}"]`),
    ]);
    const state = readWord(used, asset);
    if (state > 1n) throw new ChainError('not-a-token', `${asset} does not answer as an EIP-3009 token`);
    if (typeof code !== 'string' || !code.startsWith('0x')) throw malformed('code');
    return { balance: readWord(balance, asset), authorizationUsed: state === 1n, hasCode: code.length > 2 };
  } catch (error) {
    if (isRevert(error)) throw new ChainError('not-a-token', `${asset} does not answer as an EIP-3009 token`);
    throw toChainFailure(error);
  }
}

/** One read in the batch of this turn. See `Chain.readBalance`. */
export async function readBalance(rpc: Rpc, { asset, payer }: BalanceQuestion): Promise<bigint> {
  try {
    return readWord(await rpc.call('eth_call', callParams(asset, encodeBalanceOf(payer))), asset);
  } catch (error) {
    if (isRevert(error)) throw new ChainError('not-a-token', `${asset} does not answer as a token`);
    throw toChainFailure(error);
  }
}

/** The params of an `eth_call` at the latest block, or at another. Throws `TypeError` for a text that is no address. */
export function callParams(to: Address, data: Hex, block = 'latest'): string {
  checkAddress(to); // it becomes part of a batch with other callers' calls
  return `[{"to":"${to}","data":"${data}"},"${block}"]`;
}

/** One word that a contract returned. Nothing at all is what an address without code returns: no token. */
export function readWord(value: unknown, asset: Address): bigint {
  if (value === '0x') throw new ChainError('not-a-token', `${asset} has no code`);
  if (typeof value !== 'string' || value.length !== 66) throw malformed('word');
  try {
    return BigInt(value);
  } catch {
    throw malformed('word');
  }
}
