import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { decodeErrorResult, parseAbi } from 'viem';
import type { PaymentToSettle } from './batch.js';
import { checkAddress, encodeTransferWithAuthorization } from './calldata.js';
import { readBytes, toQuantity } from './decode.js';
import { ChainError, isOutOfGas, isRevert, NodeError, toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';

/** Which transfer to try. */
export interface SimulationQuestion extends PaymentToSettle {
  /** Who would send it. It matters to no token known, but a payer's code may look at it. */
  readonly sender?: Address;
  /** What the transaction would have; default: what the node gives. The verdict is only as good as this is equal. */
  readonly gasLimit?: bigint;
}

/**
 * Whether the token would take the authorization now, and if not, why. `reverted`: it refuses, for the reason in its
 * own words. `out-of-gas`: the gas limit is too low for it, and nothing is said about the signature: a payer's code
 * that checks signatures may need more than a key does.
 */
export type Simulation =
  | { readonly ok: true }
  | { readonly ok: false; readonly kind: 'reverted' | 'out-of-gas'; readonly reason: string };

/**
 * Tries the transfer without sending it. A token that asks a payer's code, and sees it run out of gas, reverts with
 * "invalid signature": so a transfer that fails at `gasLimit` is tried once more with all the gas that the node gives.
 * See `Chain.simulateTransfer`.
 */
export async function simulateTransfer(rpc: Rpc, question: SimulationQuestion): Promise<Simulation> {
  const { asset, authorization, signature, sender, gasLimit } = question;
  checkAddress(asset);
  const call = { to: asset, data: encodeTransferWithAuthorization(authorization, signature), sender };
  // A call to an address without code succeeds: there the silence of the EVM is no consent of a token.
  const [simulation] = await Promise.all([tryTransfer(rpc, { ...call, gasLimit }), demandCode(rpc, asset)]);
  if (simulation.ok || gasLimit === undefined) return simulation;
  const unlimited = await tryTransfer(rpc, call);
  return unlimited.ok ? needsMoreGas(gasLimit) : unlimited;
}

/** What an `eth_call` of this package says. */
export interface TriedCall {
  readonly to: Address;
  readonly data: Hex;
  readonly sender?: Address | undefined;
  readonly gasLimit?: bigint | undefined;
}

/** One `eth_call` at the latest block: what it returned, or the node's verdict as an error. */
export async function tryCall(rpc: Rpc, { to, data, sender, gasLimit }: TriedCall): Promise<Hex | NodeError> {
  const from = sender && { from: sender };
  const gas = gasLimit === undefined ? undefined : { gas: toQuantity(gasLimit) };
  try {
    return readBytes(await rpc.call('eth_call', JSON.stringify([{ to, data, ...from, ...gas }, 'latest'])), 'result');
  } catch (error) {
    if (isRevert(error) || isOutOfGas(error)) return error;
    throw toChainFailure(error);
  }
}

/** Throws `ChainError` for an address without code. */
export async function demandCode(rpc: Rpc, address: Address, kind: 'not-a-token' | 'no-contract' = 'not-a-token') {
  try {
    const code = readBytes(await rpc.call('eth_getCode', `["${address}","latest"]`), 'code');
    if (code === '0x') throw new ChainError(kind, `${address} has no code`);
  } catch (error) {
    throw toChainFailure(error);
  }
}

/** The verdict on what succeeds with more gas. */
export function needsMoreGas(gasLimit: bigint): Simulation {
  return { ok: false, kind: 'out-of-gas', reason: `it needs more than ${String(gasLimit)} gas` };
}

/** The verdict of the EVM as one on the call. */
export function verdictOf(error: NodeError): Simulation {
  return { ok: false, kind: isOutOfGas(error) ? 'out-of-gas' : 'reverted', reason: reasonOf(error) };
}

/** The words of `Error(string)`; null for anything else that a contract may revert with. */
export function decodeReason(data: unknown): string | null {
  try {
    const [reason] = decodeErrorResult({ abi: errors, data: readBytes(data, 'revert') }).args;
    return reason;
  } catch {
    return null;
  }
}

const errors = parseAbi(['error Error(string)']);

async function tryTransfer(rpc: Rpc, call: TriedCall): Promise<Simulation> {
  const result = await tryCall(rpc, call);
  return result instanceof NodeError ? verdictOf(result) : { ok: true };
}

function reasonOf(error: NodeError): string {
  return decodeReason(error.data) ?? error.message; // a custom error, or a node that does not pass the data on
}
