import type { Chain, TokenTransfer, TransactionOutcome } from '@keyfare/evm/chain';
import type { SignedTransaction } from '@keyfare/evm/settler';
import type { PaymentHold, PaymentOutcome } from './call.js';

/**
 * What the chain says of a submitted payment.
 * - `waiting`: nothing yet.
 * - `reverted`: our transaction did not move the money, and the authorization is still good: it may yet move.
 * - `superseded`: something else was mined under our wallet's nonce, and the authorization is unused: send it anew.
 * - `ended`: for good.
 */
export type Verdict =
  | { readonly kind: 'waiting' | 'superseded' }
  | { readonly kind: 'reverted'; readonly mined: TransactionOutcome }
  | { readonly kind: 'ended'; readonly outcome: PaymentOutcome };

/** What is known of a payment before the chain is asked. */
export interface Case {
  readonly hold: PaymentHold;
  readonly transactions: readonly SignedTransaction[];
  /** The node says that a transaction with our nonce is in a block: ours, or somebody else's. */
  readonly nonceTaken: boolean;
}

/** That an authorization has run out is believed when a block so much younger says so: the newest ones may be replaced. */
const reorganizationSeconds = 30n;

/** Reads from the chain how payments ended. It asks for each payment apart: what spoils one answer spoils no other. */
export class Judge {
  constructor(
    private readonly chain: Chain,
    private readonly settler: `0x${string}`,
  ) {}

  /** Throws when the chain cannot be asked, or contradicts itself. */
  async judge({ hold, transactions, nonceTaken }: Case): Promise<Verdict> {
    const mined = await this.#findMined(transactions);
    if (mined !== undefined) {
      const isSettled = mined.transfers.some((transfer) => isPayment(transfer, hold));
      return isSettled ? ended({ kind: 'settled', transaction: mined.hash }) : this.reconsider(hold, mined);
    }
    const last = transactions.at(-1);
    if (!nonceTaken || last === undefined) return { kind: 'waiting' };
    if ((await this.chain.transactionCount(this.settler)) <= last.nonce) return { kind: 'waiting' };
    // The block may have come between the question for receipts and this one.
    if ((await this.#findMined(transactions)) !== undefined) return { kind: 'waiting' };
    const outcome = await this.#findEnd(hold, { atLeast: 0n, transaction: null });
    return outcome === undefined ? { kind: 'superseded' } : ended(outcome);
  }

  /**
   * A transaction of ours is in a block, and the payment is not in it. Anybody may submit an authorization, and ours is
   * public now: until it is used, canceled or out of time, the money may still move.
   */
  async reconsider(hold: PaymentHold, mined: TransactionOutcome): Promise<Verdict> {
    const outcome = await this.#findEnd(hold, { atLeast: mined.blockNumber, transaction: mined.hash });
    return outcome === undefined ? { kind: 'reverted', mined } : ended(outcome);
  }

  async #findMined(transactions: readonly SignedTransaction[]): Promise<TransactionOutcome | undefined> {
    const receipts = await this.chain.receipts(transactions.map(({ hash }) => hash));
    return receipts.find((receipt) => receipt !== null) ?? undefined;
  }

  /** Undefined while the authorization can still be used. Never answers from a state older than the block `atLeast`. */
  async #findEnd(
    hold: PaymentHold,
    { atLeast, transaction }: { atLeast: bigint; transaction: `0x${string}` | null },
  ): Promise<PaymentOutcome | undefined> {
    const head = await this.chain.head();
    const block = head.number > atLeast ? head.number : atLeast;
    const { asset, payer, nonce } = hold;
    const { authorizationUsed } = await this.chain.readPayer({ asset, payer, nonce, block });
    if (authorizationUsed) return this.#findUse(hold);
    if (head.number < atLeast || head.timestamp < hold.validBefore + reorganizationSeconds) return undefined;
    return { kind: 'failed', transaction, reason: 'authorization-expired' };
  }

  async #findUse(hold: PaymentHold): Promise<PaymentOutcome> {
    const { asset, payer, nonce, unusedAtBlock: fromBlock } = hold;
    const use = await this.chain.findAuthorizationUse({ asset, authorizer: payer, nonce, fromBlock });
    if (use === null) throw new Error(`the use of ${nonce} by ${payer} cannot be found from block ${fromBlock}`);
    const transaction = use.transactionHash;
    // What it moved cannot be told, so nothing may be said to have failed.
    if (use.kind === 'unpaired') throw new Error(`the transfer of ${nonce} by ${payer} cannot be found`);
    if (use.transfer !== null && isPayment(use.transfer, hold)) return { kind: 'settled', transaction };
    // Canceled, or used to pay somebody else: a payer can sign one nonce twice.
    const reason = use.kind === 'canceled' ? 'authorization-canceled' : 'authorization-used-elsewhere';
    return { kind: 'failed', transaction, reason };
  }
}

function ended(outcome: PaymentOutcome): Verdict {
  return { kind: 'ended', outcome };
}

function isPayment(transfer: TokenTransfer, hold: PaymentHold): boolean {
  return (
    transfer.authorization?.nonce === hold.nonce &&
    transfer.asset === hold.asset &&
    transfer.from === hold.payer &&
    transfer.to === hold.payTo &&
    transfer.value === hold.amount
  );
}
