import type { PaymentTerms } from '@keyfare/core/x402';
import type { Chain } from '@keyfare/evm/chain';
import type { SettlerWallet } from '@keyfare/evm/settler';
import { challenge } from './answers.js';
import type { PaymentHold } from './call.js';

/** A node may answer two questions of one request from different blocks, but hardly from blocks so far apart. */
const marginBlocks = 64n;

/** Asks the chain about a claimed payment, before any work is done for it. */
export class ChainCheck {
  constructor(
    private readonly chain: Chain,
    private readonly wallet: SettlerWallet,
  ) {}

  /**
   * The hold, with a block at which its authorization was unused. Refuses with a 402 challenge what the chain would not
   * settle: used before, not covered by the balance together with what else the payer has open, or refused by its code.
   */
  async verify(hold: PaymentHold, open: bigint, terms: PaymentTerms): Promise<PaymentHold> {
    const { asset, payer, nonce } = hold;
    const [{ balance, authorizationUsed, hasCode }, block] = await Promise.all([
      this.chain.readPayer({ asset, payer, nonce }),
      this.chain.blockNumber(),
    ]);
    if (authorizationUsed) throw challenge(terms, 'payment/already-used');
    if (balance < open) throw challenge(terms, 'payment/insufficient-funds');
    if (hasCode) await this.#tryTransfer(hold, terms);
    return { ...hold, unusedAtBlock: block > marginBlocks ? block - marginBlocks : 0n };
  }

  /**
   * Where the payer has code, be it a contract or a key that delegated to one (EIP-7702), the token asks the code and not
   * the key: a signature that verifies here proves nothing. The settlement is tried as it would be sent, so that no work
   * is done and no gas spent for one that reverts.
   */
  async #tryTransfer(hold: PaymentHold, terms: PaymentTerms): Promise<void> {
    const { asset, payer: from, payTo: to, amount: value, validAfter, validBefore, nonce, signature } = hold;
    const simulation = await this.chain.simulateTransfer({
      asset,
      authorization: { from, to, value, validAfter, validBefore, nonce },
      signature,
      sender: this.wallet.address,
      gasLimit: this.wallet.gasLimit,
    });
    if (simulation.ok) return;
    const detail = `The payer has code, and the settlement would revert: ${simulation.reason.slice(0, 200)}.`;
    throw challenge(terms, 'payment/invalid-signature', { detail });
  }
}
