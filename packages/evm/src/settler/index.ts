export { batchGasLimit, maxBatchSize, multicall3Address, type PaymentToSettle } from '../chain/batch.js';
export { raiseFees } from './raise-fees.js';
export type { SignedTransaction } from './transaction.js';
export {
  type BatchSettlement,
  createSettlerWallet,
  type Replaced,
  type Settlement,
  type SettlerWallet,
  type WalletOptions,
} from './wallet.js';
