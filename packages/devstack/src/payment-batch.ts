import { type Address, type Hex, parseAbi } from 'viem';
import { readArtifact } from './artifact.js';
import { callRpc } from './chain/json-rpc.js';

/**
 * Where the local chain has `contracts/PaymentBatch.sol`: at the address that Multicall3 has on public chains, whose
 * `aggregate3` it speaks. So a program settles batches on both with one setting.
 */
export const paymentBatchAddress: Address = '0xcA11bde05977b3631167028862bE2a173976CA11';

/** The interface of contracts/PaymentBatch.sol, for viem. */
export const paymentBatchAbi = parseAbi([
  'struct Call3 { address target; bool allowFailure; bytes callData; }',
  'struct Result { bool success; bytes returnData; }',
  'function aggregate3(Call3[] calls) returns (Result[] results)',
]);

/** Puts the batch contract at its address of a local chain. The contract has no state. */
export async function installPaymentBatch(rpcUrl: string): Promise<void> {
  await callRpc(rpcUrl, 'anvil_setCode', [paymentBatchAddress, paymentBatchCode()]);
}

/** Whether the chain carries the very code that `installPaymentBatch` installs. */
export async function hasPaymentBatch(rpcUrl: string): Promise<boolean> {
  return (await callRpc(rpcUrl, 'eth_getCode', [paymentBatchAddress, 'latest'])) === paymentBatchCode();
}

function paymentBatchCode(): Hex {
  code ??= readArtifact('PaymentBatch').runtimeBytecode;
  return code;
}

let code: Hex | undefined;
