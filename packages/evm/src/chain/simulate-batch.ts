import type { Address } from '@keyfare/core/x402';
import { decodeFunctionResult, type Hex, parseAbi } from 'viem';
import { batchGasLimit, encodeBatch, type PaymentToSettle } from './batch.js';
import { checkAddress } from './calldata.js';
import { malformed } from './decode.js';
import { NodeError } from './errors.js';
import type { Rpc } from './rpc.js';
import {
  decodeReason,
  demandCode,
  needsMoreGas,
  type Simulation,
  type TriedCall,
  tryCall,
  verdictOf,
} from './simulate.js';

/** Which batch to try. */
export interface BatchQuestion {
  readonly contract: Address;
  readonly items: readonly PaymentToSettle[];
  /** Who would send it. */
  readonly sender?: Address;
  /** What the transaction would have; default: `batchGasLimit` of the number of items. */
  readonly gasLimit?: bigint;
}

/**
 * Tries a batch without sending it: the verdict on each row, in their order. Rows are judged together, so the second of
 * two payments of one payer is refused when the balance covers one. What fails at `gasLimit` is tried once more with
 * all the gas that the node gives; a row that then passes, or that fails without a word (EIP-3009 tokens always say why
 * they refuse), is out of gas. See `Chain.simulateBatch`.
 */
export async function simulateBatch(rpc: Rpc, question: BatchQuestion): Promise<readonly Simulation[]> {
  const { contract, items, sender, gasLimit = batchGasLimit(items.length) } = question;
  checkAddress(contract);
  if (items.length === 0) return [];
  const call = { to: contract, data: encodeBatch(items), sender };
  const assets = new Set(items.map(({ asset }) => asset));
  const [rows] = await Promise.all([
    tryBatch(rpc, { ...call, gasLimit }, items.length),
    demandCode(rpc, contract, 'no-contract'),
    ...Array.from(assets, async (asset) => await demandCode(rpc, asset)),
  ]);
  if (rows.every(({ ok }) => ok)) return rows;
  const unlimited = await tryBatch(rpc, call, items.length);
  return rows.map((row, index) => {
    const second = unlimited[index] ?? row;
    if (row.ok) return row;
    return second.ok ? needsMoreGas(gasLimit) : second;
  });
}

async function tryBatch(rpc: Rpc, call: TriedCall, count: number): Promise<readonly Simulation[]> {
  const result = await tryCall(rpc, call);
  if (result instanceof NodeError) return Array.from({ length: count }, () => verdictOf(result));
  if (result === '0x') return Array.from({ length: count }, () => ({ ok: true })); // no contract: `demandCode` says so
  const rows = decode(result);
  if (rows.length !== count) throw malformed('result of a batch');
  return rows.map(({ success, returnData }) => (success ? { ok: true } : refusal(returnData)));
}

function refusal(returnData: Hex): Simulation {
  if (returnData === '0x') return { ok: false, kind: 'out-of-gas', reason: 'it failed without a reason' };
  return { ok: false, kind: 'reverted', reason: decodeReason(returnData) ?? returnData.slice(0, 200) };
}

const abi = parseAbi([
  'function aggregate3((address target, bool allowFailure, bytes callData)[]) returns ((bool success, bytes returnData)[])',
]);

function decode(data: Hex): readonly { readonly success: boolean; readonly returnData: Hex }[] {
  try {
    return decodeFunctionResult({ abi, functionName: 'aggregate3', data });
  } catch {
    throw malformed('result of a batch');
  }
}
