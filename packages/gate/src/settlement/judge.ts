import type { Hex } from '@keyfare/core/encoding';
import type { Chain, TokenTransfer, TransactionOutcome } from '@keyfare/evm/chain';
import type { SignedTransaction } from '@keyfare/evm/settler';
import type { Movement, PaymentOutcome } from '../settling.js';

/** What is known of a settlement before the chain is asked. */
export interface Case {
  readonly nonce: number;
  readonly transactions: readonly SignedTransaction[];
  /** The node says that a transaction with our nonce is in a block: ours, or somebody else's. */
  readonly nonceTaken: boolean;
}

/**
 * What the chain says of a settlement. `waiting`: nothing yet. `superseded`: something else was mined under its nonce.
 * `mined`: one of its transactions is in a block.
 */
export type Verdict =
  | { readonly kind: 'waiting' | 'superseded' }
  | { readonly kind: 'mined'; readonly mined: TransactionOutcome };

/**
 * That an authorization has run out is believed when a block so much younger says so: the newest ones may be replaced.
 */
const reorganizationSeconds = 30n;

/** Reads from the chain how settlements and the payments in them ended. */
export class Judge {
  constructor(
    private readonly chain: Chain,
    private readonly settler: `0x${string}`,
  ) {}

  /** Throws when the chain cannot be asked, or contradicts itself. */
  async judge({ nonce, transactions, nonceTaken }: Case): Promise<Verdict> {
    const mined = await this.findMined(transactions);
    if (mined !== undefined) return { kind: 'mined', mined };
    if (!nonceTaken) return { kind: 'waiting' };
    if ((await this.chain.transactionCount(this.settler)) <= nonce) return { kind: 'waiting' };
    // The block may have come between the question for receipts and this one.
    return { kind: (await this.findMined(transactions)) === undefined ? 'superseded' : 'waiting' };
  }

  /** Which of the transactions is in a block, if any. */
  async findMined(transactions: readonly SignedTransaction[]): Promise<TransactionOutcome | undefined> {
    const receipts = await this.chain.receipts(transactions.map(({ hash }) => hash));
    return receipts.find((receipt) => receipt !== null) ?? undefined;
  }

  /** A transaction's receipt, or null. */
  async find(hash: Hex): Promise<TransactionOutcome | null> {
    return (await this.chain.receipts([hash]))[0] ?? null;
  }

  /**
   * The end of a payment that its own transaction did not bring, from the state of its authorization: undefined while
   * that can still be used. Anybody may submit it, and ours is public: until it is used, canceled or out of time, the
   * money may move. Never answers from a state older than the block `mined`.
   */
  async findEnd(movement: Movement, mined: TransactionOutcome | null): Promise<PaymentOutcome | undefined> {
    const head = await this.chain.head();
    const atLeast = mined?.blockNumber ?? 0n;
    const block = head.number > atLeast ? head.number : atLeast;
    const { asset, payer, nonce } = movement;
    const { authorizationUsed } = await this.chain.readPayer({ asset, payer, nonce, block });
    if (authorizationUsed) return this.#findUse(movement);
    if (head.number < atLeast || head.timestamp < movement.validBefore + reorganizationSeconds) return undefined;
    return { kind: 'failed', transaction: mined?.hash ?? null, reason: 'authorization-expired' };
  }

  async #findUse(movement: Movement): Promise<PaymentOutcome> {
    const { asset, payer, nonce, unusedAtBlock: fromBlock } = movement;
    const use = await this.chain.findAuthorizationUse({ asset, authorizer: payer, nonce, fromBlock });
    if (use === null) throw new Error(`the use of ${nonce} by ${payer} cannot be found from block ${fromBlock}`);
    const transaction = use.transactionHash;
    // What it moved cannot be told, so nothing may be said to have failed.
    if (use.kind === 'unpaired') throw new Error(`the transfer of ${nonce} by ${payer} cannot be found`);
    if (use.transfer !== null && isPayment(use.transfer, movement)) return { kind: 'settled', transaction };
    // Canceled, or used to pay somebody else: a payer can sign one nonce twice.
    const reason = use.kind === 'canceled' ? 'authorization-canceled' : 'authorization-used-elsewhere';
    return { kind: 'failed', transaction, reason };
  }
}

/** Whether a transaction moved this payment: its own logs tell, whatever else was moved beside it. */
export function hasMoved(mined: TransactionOutcome, movement: Movement): boolean {
  return mined.transfers.some((transfer) => isPayment(transfer, movement));
}

function isPayment(transfer: TokenTransfer, movement: Movement): boolean {
  return (
    transfer.authorization?.nonce === movement.nonce &&
    transfer.asset === movement.asset &&
    transfer.from === movement.payer &&
    transfer.to === movement.payTo &&
    transfer.value === movement.amount
  );
}
