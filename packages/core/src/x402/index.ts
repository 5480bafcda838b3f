export { addressOfPublicKey, hasGoodChecksum } from './address.js';
export type { RecoveryEngine, SignatureVerifier } from './engine.js';
export { maxPaymentHeaderLength, type PaymentHeader, parsePaymentHeader } from './header.js';
export {
  type Address,
  findNetwork,
  findToken,
  type Network,
  networks,
  type Token,
  tokenBySymbol,
} from './network.js';
export type { Authorization, PaymentFlow, PaymentTerms, PresentedPayment, VerifiedPayment } from './payment.js';
export {
  formatPaymentRequired,
  longestExtendedHeader,
  type OfferV1,
  type PaymentChallenge,
  type PaymentRequiredV1,
} from './required.js';
export { describeResource, type ResourceDescription } from './resource-description.js';
export { formatPaymentResponse, type Settlement, type SettlementHeader } from './response.js';
export { domainSeparator, type Keccak256, separatorOf, type TokenDomain, transferDigest } from './typed-data.js';
export { loadSignatureVerifier } from './verifier.js';
export {
  checkSignature,
  checkTerms,
  matchOffer,
  type OfferMatch,
  type PaymentVerdict,
  type SignatureQuestion,
  type TermsQuestion,
  verifyAuthorization,
} from './verify.js';
