import type { Hex } from '@keyfare/core/encoding';
import type { Address, Authorization } from '@keyfare/core/x402';
import { decodeErrorResult, parseAbi } from 'viem';
import { checkAddress, encodeTransferWithAuthorization } from './calldata.js';
import { readBytes, toQuantity } from './decode.js';
import { ChainError, isRevert, NodeError, toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';

/** Which transfer to try. */
export interface SimulationQuestion {
  readonly asset: Address;
  readonly authorization: Authorization;
  readonly signature: Hex;
  /** Who would send it. It matters to no token known, but a payer's code may look at it. */
  readonly sender?: Address;
  /** What the transaction would have; default: what the node gives. The verdict is only as good as this is equal. */
  readonly gasLimit?: bigint;
}

/** Whether the token would take the authorization now, and if not, why, in the token's words. */
export type Simulation = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Tries the transfer without sending it. See `Chain.simulateTransfer`. */
export async function simulateTransfer(rpc: Rpc, question: SimulationQuestion): Promise<Simulation> {
  const { asset, authorization, signature, sender, gasLimit } = question;
  checkAddress(asset);
  const data = encodeTransferWithAuthorization(authorization, signature);
  const from = sender && { from: sender };
  const gas = gasLimit === undefined ? undefined : { gas: toQuantity(gasLimit) };
  const call = JSON.stringify([{ to: asset, data, ...from, ...gas }, 'latest']);
  const result = rpc.call('eth_call', call).then(
    () => ({ ok: true }) as const,
    (error: unknown) => {
      if (isRevert(error) || isTooLarge(error)) return { ok: false, reason: reasonOf(error) } as const;
      throw toChainFailure(error);
    },
  );
  // A call to an address without code succeeds: there the silence of the EVM is no consent of a token.
  const code = rpc.call('eth_getCode', `["${asset}","latest"]`).catch((error: unknown) => {
    throw toChainFailure(error);
  });
  const [simulation, tokenCode] = await Promise.all([result, code]);
  if (readBytes(tokenCode, 'code') === '0x') throw new ChainError('not-a-token', `${asset} has no code`);
  return simulation;
}

/** The calldata alone costs more than the gas that is there (EVM: intrinsic gas). */
function isTooLarge(error: unknown): error is NodeError {
  return error instanceof NodeError && /intrinsic gas|gas ?cost ?more ?than|gas ?too ?low/i.test(error.message);
}

const errors = parseAbi(['error Error(string)']);

function reasonOf(error: NodeError): string {
  try {
    const [reason] = decodeErrorResult({ abi: errors, data: readBytes(error.data, 'revert') }).args;
    return reason;
  } catch {
    return error.message; // a custom error, or a node that does not pass the data on
  }
}
