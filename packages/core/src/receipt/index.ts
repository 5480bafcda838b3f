export {
  assembleReceipt,
  type DocumentType,
  type Envelope,
  formatSigningInput,
  maxDocumentLength,
  type ProtectedHeader,
  type ReceiptSigner,
} from './envelope.js';
export { type Ed25519Jwk, formatJwk, type Jwks, parseJwks, thumbprint } from './jwks.js';
export {
  anonymous,
  type FreeReceipt,
  formatDigest,
  type KeyReceipt,
  type ReceiptPayload,
  receiptPayload,
  type X402Receipt,
} from './payload.js';
export { parseReceipt, signReceipt, verifyReceipt } from './receipt.js';
export { type ReceiptRoute, type ReceiptTemplate, receiptTemplate } from './template.js';
export type { Verdict, VerifyEd25519, VerifyOptions } from './verify.js';
