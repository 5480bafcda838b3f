import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { readAddress, readArray, readBytes, readHash, readObject, readQuantity } from './decode.js';
import { ChainUnavailable } from './errors.js';

// keccak256 of "Transfer(address,address,uint256)", "AuthorizationUsed(address,bytes32)" and
// "AuthorizationCanceled(address,bytes32)" (ERC-20, EIP-3009); tests compute them again.
export const topics = {
  transfer: '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef',
  authorizationUsed: '0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5',
  authorizationCanceled: '0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81',
} as const;

/** A log, decoded as far as every log is the same. */
export interface Log {
  /** The contract that wrote it. */
  readonly address: Address;
  readonly topics: readonly Hex[];
  readonly data: Hex;
  readonly logIndex: number;
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
  readonly transactionHash: Hex;
}

/** A transfer of a token, as its contract logged it. */
export interface TokenTransfer {
  readonly asset: Address;
  readonly from: Address;
  readonly to: Address;
  /** Atomic units. */
  readonly value: bigint;
  readonly logIndex: number;
  /** The EIP-3009 authorization that moved the money; null for any other transfer. */
  readonly authorization: { readonly authorizer: Address; readonly nonce: Hex } | null;
}

/** Decodes a log of a block. Throws `ChainUnavailable` for anything else: pending and removed logs are no facts. */
export function readLog(value: unknown): Log {
  const log = readObject(value, 'log');
  if (log['removed'] === true) throw new ChainUnavailable('the node sent a log of a block that was removed');
  return {
    address: readAddress(log['address'], 'log'),
    topics: readArray(log['topics'], 'log').map((topic) => readHash(topic, 'log')),
    data: readBytes(log['data'], 'log'),
    logIndex: Number(readQuantity(log['logIndex'], 'log')),
    blockNumber: readQuantity(log['blockNumber'], 'log'),
    blockHash: readHash(log['blockHash'], 'log'),
    transactionHash: readHash(log['transactionHash'], 'log'),
  };
}

/**
 * The token transfers among the logs of one transaction, which must be all of them. A transfer was made by an
 * authorization when the log immediately before it is an `AuthorizationUsed` of the same contract for the same payer:
 * FiatTokenV2_2 marks the authorization as used and then transfers. Nothing looser will do: another contract may write
 * a log of any shape, and one transaction may hold many transfers of one payer.
 */
export function pairTransfers(logs: readonly Log[]): readonly TokenTransfer[] {
  const inOrder = logs.toSorted((a, b) => a.logIndex - b.logIndex);
  return inOrder.flatMap((log, index) => {
    const transfer = readTransfer(log);
    return transfer === null ? [] : [{ ...transfer, authorization: authorizationBefore(transfer, inOrder[index - 1]) }];
  });
}

function readTransfer(log: Log): TokenTransfer | null {
  const [signature, from, to] = log.topics;
  if (signature !== topics.transfer || log.topics.length !== 3 || log.data.length !== 66) return null;
  const [payer, payee] = [topicAddress(from), topicAddress(to)];
  if (payer === null || payee === null) return null;
  const value = BigInt(log.data);
  return { asset: log.address, from: payer, to: payee, value, logIndex: log.logIndex, authorization: null };
}

function authorizationBefore(transfer: TokenTransfer, before: Log | undefined): TokenTransfer['authorization'] {
  if (before === undefined || before.logIndex !== transfer.logIndex - 1 || before.address !== transfer.asset)
    return null;
  const [signature, authorizer, nonce] = before.topics;
  if (signature !== topics.authorizationUsed || before.topics.length !== 3 || nonce === undefined) return null;
  return topicAddress(authorizer) === transfer.from ? { authorizer: transfer.from, nonce } : null;
}

/** Null for a word that is no address: then the event is another one of the same name. */
function topicAddress(topic: Hex | undefined): Address | null {
  return topic?.startsWith('0x000000000000000000000000') === true ? `0x${topic.slice(26)}` : null;
}
