export { raiseFees } from './raise-fees.js';
export type { SignedTransaction } from './transaction.js';
export {
  createSettlerWallet,
  type Replaced,
  type Settlement,
  type SettlerWallet,
  type WalletOptions,
} from './wallet.js';
