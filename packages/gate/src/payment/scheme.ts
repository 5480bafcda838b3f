import type { PresentedPayment, VerifiedPayment } from '@keyfare/core/x402';
import type { PayerState, Simulation } from '@keyfare/evm/chain';
import type { NetworkAccess } from '../networks.js';
import type { Movement } from '../settling.js';

/**
 * One way to authorize a payment (a scheme of x402 with its transfer method). A new one is a new file beside `exact`.
 */
export interface Scheme {
  readonly name: PresentedPayment['scheme'];
  /**
   * What was presented, with the signature as the chain takes it. Costs neither a question to the chain nor one to the
   * database. Problem `payment/invalid-signature` for what no key and no code could have signed.
   */
  prove(presented: PresentedPayment, access: NetworkAccess): VerifiedPayment;
  /** What the chain says of payer and authorization. */
  read(movement: Movement, access: NetworkAccess): Promise<PayerState>;
  /** Tries the settlement as it would be sent. */
  simulate(movement: Movement, access: NetworkAccess): Promise<Simulation>;
}
