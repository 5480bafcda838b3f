import { type Address, type Hex, keccak256, parseTransaction, recoverTransactionAddress } from 'viem';
import { NotPlayed, RpcFault } from './fault.js';

/** A signed transaction that waits for a block. Addresses are lower-case. */
export interface Pending {
  readonly hash: Hex;
  readonly from: Address;
  readonly to: Address;
  readonly data: Hex;
  readonly nonce: number;
  readonly gas: bigint;
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}

/** What the pool asks of the chain that it belongs to. */
export interface PoolRules {
  readonly chainId: number;
  readonly baseFeePerGas: bigint;
  /** Transactions of the address that are in blocks. */
  minedCount(address: Address): number;
  /** Wei. */
  etherOf(address: Address): bigint;
}

/** Reads a signed transaction of EIP-1559, the only kind that the gate sends. */
export async function readTransaction(raw: Hex, chainId: number): Promise<Pending> {
  const transaction = parse(raw);
  if (transaction.type !== 'eip1559') throw new NotPlayed(`transactions of type ${transaction.type}`);
  if (transaction.chainId !== chainId) throw new RpcFault(-32_000, 'invalid chain id for signer');
  const { to, data = '0x', nonce = 0, gas = 0n, maxFeePerGas = 0n, maxPriorityFeePerGas = 0n } = transaction;
  if (to === undefined || to === null) throw new NotPlayed('the creation of contracts');
  if ((transaction.value ?? 0n) > 0n) throw new NotPlayed('transfers of ether');
  const from = await recoverTransactionAddress({ serializedTransaction: raw as `0x02${string}` });
  return {
    hash: keccak256(raw),
    from: from.toLowerCase() as Address,
    to: to.toLowerCase() as Address,
    data,
    nonce,
    gas,
    maxFeePerGas,
    maxPriorityFeePerGas,
  };
}

function parse(raw: Hex) {
  try {
    return parseTransaction(raw);
  } catch {
    throw new RpcFault(-32_602, 'rlp: the transaction cannot be decoded');
  }
}

/** Transactions that wait for a block, refused for the reasons for which geth refuses them and in its words. */
export class Pool {
  #waiting: Pending[] = [];

  constructor(private readonly rules: PoolRules) {}

  get size(): number {
    return this.#waiting.length;
  }

  add(transaction: Pending): void {
    const { hash, from, nonce, gas, maxFeePerGas, data } = transaction;
    if (this.#waiting.some((other) => other.hash === hash)) throw new RpcFault(-32_000, 'already known');
    if (nonce < this.rules.minedCount(from)) throw new RpcFault(-32_000, 'nonce too low');
    if (maxFeePerGas < this.rules.baseFeePerGas) {
      throw new RpcFault(-32_000, 'max fee per gas less than block base fee');
    }
    if (gas < intrinsicGas(data)) throw new RpcFault(-32_000, 'intrinsic gas too low');
    if (gas * maxFeePerGas > this.rules.etherOf(from)) {
      throw new RpcFault(-32_000, 'insufficient funds for gas * price + value');
    }
    const outbid = this.#waiting.find((other) => other.from === from && other.nonce === nonce);
    if (outbid !== undefined && !isRaised(outbid, transaction)) {
      throw new RpcFault(-32_000, 'replacement transaction underpriced');
    }
    this.#waiting = [...this.#waiting.filter((other) => other !== outbid), transaction];
  }

  /** Transactions of the address in blocks and, without a gap, behind those. */
  pendingCount(address: Address): number {
    let count = this.rules.minedCount(address);
    while (this.#waiting.some(({ from, nonce }) => from === address && nonce === count)) count += 1;
    return count;
  }

  /** Takes what can be in the next block: of each sender in the order of its nonces, without a gap. */
  take(): readonly Pending[] {
    const next = new Map<string, number>();
    const taken = this.#waiting
      .toSorted((a, b) => a.nonce - b.nonce)
      .filter(({ from, nonce }) => {
        const expected = next.get(from) ?? this.rules.minedCount(from);
        if (nonce !== expected) return false;
        next.set(from, expected + 1);
        return true;
      });
    this.#waiting = this.#waiting.filter((transaction) => !taken.includes(transaction));
    return taken;
  }
}

/**
 * What a transaction costs before it does anything (EIP-2028): 16 for each byte of calldata, 4 for one that is zero.
 */
export function intrinsicGas(data: Hex): bigint {
  const bytes = Buffer.from(data.slice(2), 'hex');
  return bytes.reduce((gas, byte) => gas + (byte === 0 ? 4n : 16n), 21_000n);
}

/** A node replaces a transaction when both fees are a tenth higher. */
function isRaised(old: Pending, { maxFeePerGas, maxPriorityFeePerGas }: Pending): boolean {
  return maxFeePerGas * 10n >= old.maxFeePerGas * 11n && maxPriorityFeePerGas * 10n >= old.maxPriorityFeePerGas * 11n;
}
