import { decodeHex, encodeHex, type Hex } from '@keyfare/core/encoding';
import type { Address, Authorization } from '@keyfare/core/x402';
import { checkAddress, encodeTransferWithAuthorization } from '../chain/calldata.js';
import type { Chain, Fees } from '../chain/index.js';
import { loadSigningEngine, type SigningEngine } from './engine.js';
import { raiseFees } from './raise-fees.js';
import { type SignedTransaction, signTransaction } from './transaction.js';

/** A payment to settle, and the wallet's nonce to settle it with. */
export interface Settlement {
  readonly asset: Address;
  readonly authorization: Authorization;
  /** 65 bytes with v 27 or 28 for a key; any length for a wallet contract. */
  readonly signature: Hex;
  /** Of the settler's account: whoever keeps the nonces says it. */
  readonly nonce: number;
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
  /** One EIP-1559 transaction for each settlement, with its nonce. Equal input gives equal bytes (RFC 6979). */
  signTransfers(settlements: readonly Settlement[], fees: Fees): SignedTransaction[];
  /**
   * The same settlement again, at the same nonce, for fees that a node takes as a replacement: at least 12.5 % above the
   * replaced ones, or `fees` when those are higher. Null when that is out of proportion to `fees`: see `raiseFees`.
   */
  signReplacement(settlement: Settlement, replaced: Fees, fees: Fees): SignedTransaction | null;
  /** Frees a nonce without settling: a transfer of nothing to the wallet itself, for fees as in `signReplacement`. */
  signCancel(replaced: Replaced, fees: Fees): SignedTransaction | null;
}

/** How to open a wallet. */
export interface WalletOptions {
  /** 32 bytes. */
  readonly privateKey: Hex;
  readonly chain: Pick<Chain, 'chainId'>;
  /** Gas of a settlement; default 150 000. A wallet contract's signature may need more. */
  readonly gasLimit?: bigint;
}

/** What a plain transfer of ether costs (Ethereum Yellow Paper, appendix G, G_transaction). */
const plainTransferGas = 21_000n;

/** Opens a wallet. Throws `TypeError` for a text that is no private key. */
export async function createSettlerWallet(options: WalletOptions): Promise<SettlerWallet> {
  const { chain, gasLimit = 150_000n } = options;
  const engine = await loadSigningEngine();
  const privateKey = readPrivateKey(options.privateKey);
  const address = addressOf(engine, privateKey);
  const sign = ({ asset, authorization, signature, nonce }: Settlement, fees: Fees) => {
    checkAddress(asset);
    const data = encodeTransferWithAuthorization(authorization, signature);
    const { maxFeePerGas, maxPriorityFeePerGas } = fees;
    const transaction = {
      chainId: chain.chainId,
      nonce,
      maxFeePerGas,
      maxPriorityFeePerGas,
      gasLimit,
      to: asset,
      data,
    };
    return signTransaction(transaction, engine, privateKey);
  };
  return {
    address,
    gasLimit,
    engine: engine.name,
    signTransfers: (settlements, fees) => settlements.map((settlement) => sign(settlement, fees)),
    signReplacement: (settlement, replaced, fees) => {
      const raised = raiseFees(replaced, fees);
      return raised === null ? null : sign(settlement, raised);
    },
    signCancel: (replaced, fees) => {
      const raised = raiseFees(replaced.fees, fees);
      if (raised === null) return null;
      const call = { to: address, data: '0x', gasLimit: plainTransferGas } as const;
      const transaction = { chainId: chain.chainId, nonce: replaced.nonce, ...raised, ...call };
      return signTransaction(transaction, engine, privateKey);
    },
  };
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
