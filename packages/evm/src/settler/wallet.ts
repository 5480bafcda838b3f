import { decodeHex, encodeHex, type Hex } from '@keyfare/core/encoding';
import { type Address, type Authorization, separatorOf, type Token, transferDigest } from '@keyfare/core/x402';
import { batchGasLimit, encodeBatch, maxBatchSize, type PaymentToSettle } from '../chain/batch.js';
import { checkAddress, encodeTransferWithAuthorization } from '../chain/calldata.js';
import { checkCeiling } from '../chain/ceiling.js';
import type { Chain, FeeCeiling, Fees } from '../chain/index.js';
import { loadSigningEngine, type SigningEngine } from './engine.js';
import { raiseFees } from './raise-fees.js';
import { type SignedTransaction, signTransaction } from './transaction.js';

/** One payment in a transaction of its own. */
export interface Settlement extends PaymentToSettle {
  /** Of the settler's account: whoever keeps the nonces says it. */
  readonly nonce: number;
  /** Default: the wallet's. A payer whose code checks the signature may need more. */
  readonly gasLimit?: bigint;
}

/** Many payments in one transaction. */
export interface BatchSettlement {
  /** From one to `maxBatchSize`, in the order in which they are tried; one that fails leaves the others as they are. */
  readonly items: readonly PaymentToSettle[];
  /** Of the settler's account. */
  readonly nonce: number;
  /** The contract that makes the calls: our PaymentBatch or Multicall3. */
  readonly contract: Address;
  /** Default: `batchGasLimit` of the number of items. */
  readonly gasLimit?: bigint;
}

/** What a replacement replaces. */
export interface Replaced {
  readonly nonce: number;
  /** The fees of the transaction that is stuck. */
  readonly fees: Fees;
}

/** Signs settlement transactions. It sends nothing and counts no nonces: what it signs is to be stored, then sent. */
export interface SettlerWallet {
  /** Lower-case. */
  readonly address: Address;
  /** Gas of a settlement: simulate with as much. */
  readonly gasLimit: bigint;
  /** `noble` is some ten times slower: on a server it is a reason for an alarm. */
  readonly engine: SigningEngine['name'];
  /**
   * One EIP-1559 transaction for each settlement, with its nonce. Equal input gives equal bytes (RFC 6979). Throws
   * `FeeTooHigh` above the wallet's ceiling.
   */
  signTransfers(settlements: readonly Settlement[], fees: Fees): SignedTransaction[];
  /**
   * One transaction that tries every payment through `contract`. Its receipt says which of them moved: a row that fails
   * leaves no transfer. Throws `RangeError` for no items, or more than `maxBatchSize`, and `FeeTooHigh` above the
   * wallet's ceiling.
   */
  signBatch(batch: BatchSettlement, fees: Fees): SignedTransaction;
  /**
   * The same settlement again, at the same nonce, for fees that a node takes as a replacement: at least 12.5 % above
   * the replaced ones, or `fees` when those are higher. Null when that is out of proportion to `fees` (see `raiseFees`)
   * or above the wallet's ceiling: then the replaced one stands.
   */
  signReplacement(settlement: Settlement | BatchSettlement, replaced: Fees, fees: Fees): SignedTransaction | null;
  /**
   * The wallet's own authorization to move tokens (EIP-3009), `from` the wallet: 65 bytes, r, s and v. Throws
   * `RangeError` for one from another wallet.
   */
  signAuthorization(token: Token, authorization: Authorization): Hex;
  /** Frees a nonce without settling: a transfer of nothing to the wallet itself, for fees as in `signReplacement`. */
  signCancel(replaced: Replaced, fees: Fees): SignedTransaction | null;
}

/** How to open a wallet. */
export interface WalletOptions {
  /** 32 bytes. */
  readonly privateKey: Hex;
  readonly chain: Pick<Chain, 'chainId'>;
  /** What a settlement may cost; default: no ceiling. */
  readonly ceiling?: FeeCeiling;
  /** Gas of a settlement; default 150 000. A wallet contract's signature may need more. */
  readonly gasLimit?: bigint;
}

/** What a plain transfer of ether costs (Ethereum Yellow Paper, appendix G, G_transaction). */
const plainTransferGas = 21_000n;

/** Opens a wallet. Throws `TypeError` for a text that is no private key. */
export async function createSettlerWallet(options: WalletOptions): Promise<SettlerWallet> {
  const { chain, gasLimit = 150_000n, ceiling = {} } = options;
  const engine = await loadSigningEngine();
  const privateKey = readPrivateKey(options.privateKey);
  const address = addressOf(engine, privateKey);
  const sign = (call: Call, nonce: number, { maxFeePerGas, maxPriorityFeePerGas }: Fees) => {
    const { to, data, gasLimit: gas } = call;
    const fees = { maxFeePerGas, maxPriorityFeePerGas };
    return signTransaction({ chainId: chain.chainId, nonce, ...fees, to, data, gasLimit: gas }, engine, privateKey);
  };
  const signFirst = (settlement: Settlement | BatchSettlement, fees: Fees) => {
    const call = callOf(settlement);
    const tooHigh = checkCeiling({ fees, ...call }, ceiling);
    if (tooHigh !== null) throw tooHigh;
    return sign(call, settlement.nonce, fees);
  };
  const signAgain = (call: Call, { nonce, fees: replaced }: Replaced, fees: Fees) => {
    const raised = raiseFees(replaced, fees);
    if (raised === null || checkCeiling({ fees: raised, ...call }, ceiling) !== null) return null;
    return sign(call, nonce, raised);
  };
  const callOf = (settlement: Settlement | BatchSettlement): Call =>
    'items' in settlement ? batchCall(settlement) : transferCall(settlement, settlement.gasLimit ?? gasLimit);
  return {
    address,
    gasLimit,
    engine: engine.name,
    signTransfers: (settlements, fees) => settlements.map((settlement) => signFirst(settlement, fees)),
    signBatch: (batch, fees) => signFirst(batch, fees),
    signReplacement: (settlement, replaced, fees) =>
      signAgain(callOf(settlement), { nonce: settlement.nonce, fees: replaced }, fees),
    signAuthorization: (token, authorization) => {
      if (authorization.from !== address)
        throw new RangeError('an authorization is signed by the wallet it moves from');
      const digest = transferDigest(separatorOf(token, chain.chainId), authorization, (bytes) =>
        engine.keccak256(bytes),
      );
      const signature = engine.sign(digest, privateKey);
      const bytes = new Uint8Array(65);
      bytes.set(signature.subarray(1));
      bytes[64] = 27 + (signature[0] ?? 0);
      return encodeHex(bytes);
    },
    signCancel: (replaced, fees) =>
      signAgain({ to: address, data: '0x', gasLimit: plainTransferGas, payments: 1 }, replaced, fees),
  };
}

/** What a transaction does, whoever signs it and for whatever fees. */
interface Call {
  readonly to: Address;
  readonly data: Hex;
  readonly gasLimit: bigint;
  readonly payments: number;
}

function transferCall({ asset, authorization, signature }: PaymentToSettle, gasLimit: bigint): Call {
  checkAddress(asset);
  return { to: asset, data: encodeTransferWithAuthorization(authorization, signature), gasLimit, payments: 1 };
}

function batchCall({ items, contract, gasLimit = batchGasLimit(items.length) }: BatchSettlement): Call {
  if (items.length === 0 || items.length > maxBatchSize) {
    throw new RangeError(`a batch has 1 to ${String(maxBatchSize)} payments, not ${String(items.length)}`);
  }
  checkAddress(contract);
  return { to: contract, data: encodeBatch(items), gasLimit, payments: items.length };
}

function readPrivateKey(text: Hex): Uint8Array {
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new TypeError('a private key has 32 bytes'); // never the text itself
  return decodeHex(text);
}

function addressOf(engine: SigningEngine, privateKey: Uint8Array): Address {
  try {
    return encodeHex(engine.keccak256(engine.publicKey(privateKey).subarray(1)).subarray(12));
  } catch {
    throw new TypeError('the number is no private key of secp256k1'); // 0, or not below the order
  }
}
