import type { ProblemCode } from '@keyfare/core/problem';
import { findToken, type PaymentTerms } from '@keyfare/core/x402';
import { costInAsset, estimateCost } from '@keyfare/evm/chain';
import { batchGasLimit } from '@keyfare/evm/settler';
import { type NetworkAccess, transferGas } from '../networks.js';
import { challenge, comeBack } from './answers.js';
import type { PaymentHold } from './call.js';
import type { Scheme } from './scheme.js';

/** A node may answer two questions of one request from different blocks, but hardly from blocks so far apart. */
const marginBlocks = 64n;

/** Asks the chain about a claimed payment, before any work is done for it. */
export class ChainCheck {
  constructor(private readonly scheme: Scheme) {}

  /**
   * The hold, with a block at which its authorization was unused. Refuses with a 402 challenge what the chain would not
   * settle: used before, not covered by the balance together with what else the payer has open, or refused by the token
   * (paused, payer on its block list) or by the payer's code. 503 while gas is above the ceiling or eats the payment.
   */
  async verify(
    hold: PaymentHold,
    { open, terms, access }: { open: bigint; terms: readonly PaymentTerms[]; access: NetworkAccess },
  ): Promise<PaymentHold> {
    const [balance, block, simulation] = await Promise.all([
      access.chain.readBalance(hold),
      access.chain.blockNumber(),
      this.scheme.simulate(hold, access),
      this.#checkGas(hold, access),
    ]);
    // A transfer that would succeed has an unused authorization. Why one would not is asked only then.
    const { authorizationUsed, hasCode } = simulation.ok ? fine : await this.scheme.read(hold, access);
    if (authorizationUsed) throw challenge(terms, 'payment/already-used');
    if (balance < open) throw challenge(terms, 'payment/insufficient-funds');
    if (!simulation.ok) {
      const detail = `The settlement would revert: ${simulation.reason.slice(0, 200)}.`;
      throw challenge(terms, codeOf(simulation, hasCode), { detail });
    }
    return { ...hold, unusedAtBlock: block > marginBlocks ? block - marginBlocks : 0n };
  }

  /** Gas as it is now: a deferred payment is settled as a row of a batch, any other alone at worst. */
  async #checkGas(hold: PaymentHold, { chain, settings }: NetworkAccess): Promise<void> {
    const { maxFeePerGas, maxSettlementCost, maxCostPercent, etherPrice, batchSize, batchContract } = settings;
    if (maxFeePerGas === 0n && maxSettlementCost === 0n && maxCostPercent === 0n) return;
    const fees = await chain.fees(maxFeePerGas === 0n ? {} : { maxGasPrice: maxFeePerGas });
    const inBulk = hold.flow === 'deferred' && batchContract !== null;
    const gas = inBulk ? batchGasLimit(batchSize) / BigInt(batchSize) : transferGas;
    const cost = estimateCost(gas, fees);
    if (maxSettlementCost > 0n && cost > maxSettlementCost) {
      throw comeBack('payment/gas-ceiling', 'A settlement costs more gas than is paid here.', 30);
    }
    if (maxCostPercent === 0n) return;
    const token = findToken(settings.network, hold.asset) ?? settings.network.usdc;
    if (costInAsset(cost, etherPrice[token.currency]) * 100n > hold.amount * maxCostPercent) {
      throw comeBack('payment/unprofitable', 'At present gas takes more of this payment than it may.', 60);
    }
  }
}

const fine = { authorizationUsed: false, hasCode: false };

function codeOf({ kind, reason }: { kind: 'reverted' | 'out-of-gas'; reason: string }, hasCode: boolean): ProblemCode {
  if (kind === 'out-of-gas') return 'payment/gas-limit';
  return hasCode || /signature/i.test(reason) ? 'payment/invalid-signature' : 'payment/refused-by-token';
}
