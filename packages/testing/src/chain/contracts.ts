import { paymentBatchAbi, paymentBatchAddress } from '@keyfare/devstack/payment-batch';
import { type Address, decodeFunctionData, encodeFunctionResult } from 'viem';
import { NotPlayed, Reverted, RpcFault } from './fault.js';
import type { ChainState } from './state.js';
import { type Call, type Event, type Outcome, reverted, type Token } from './token.js';

const batch = paymentBatchAddress.toLowerCase();

/** Whether a contract lives at the address: the token, or the batch contract where Multicall3 is on public chains. */
export function hasCode(token: Token, address: Address): boolean {
  return [token.address, batch].includes(address.toLowerCase());
}

/** Runs a call. One to an address without code succeeds and returns nothing, as on every chain. Throws `Reverted`. */
export function runCall(call: Call, { token, state, at }: { token: Token; state: ChainState; at?: number }): Outcome {
  const to = call.to.toLowerCase();
  if (to === token.address) return token.run(call, at);
  if (to !== batch) return { output: '0x', events: [] };
  const rows = decodeBatch(call);
  const events: Event[] = [];
  const results = rows.map(({ target, allowFailure, callData }) => {
    try {
      const row = { ...call, from: paymentBatchAddress, to: target, data: callData };
      const outcome = state.attempt(() => runCall(row, { token, state }));
      events.push(...outcome.events);
      return { success: true, returnData: outcome.output };
    } catch (error) {
      if (!(error instanceof Reverted)) throw error;
      if (!allowFailure) throw reverted('PaymentBatch: a call failed');
      return { success: false, returnData: error.data };
    }
  });
  return {
    output: encodeFunctionResult({ abi: paymentBatchAbi, functionName: 'aggregate3', result: results }),
    events,
  };
}

function decodeBatch({ data }: Call) {
  try {
    return decodeFunctionData({ abi: paymentBatchAbi, data }).args[0];
  } catch {
    throw new NotPlayed(`the function ${data.slice(0, 10)} of the batch contract`);
  }
}

/** A revert as a node words it (geth: code 3, and the bytes as data). */
export function faultOf({ reason, data }: Reverted): RpcFault {
  return new RpcFault(3, `execution reverted: ${reason}`, data);
}
