/** Injection tokens of what is built by functions, not by classes. */
export const evmChain = Symbol('keyfare:chain');
export const settlerWallet = Symbol('keyfare:settler-wallet');
export const signatureVerifier = Symbol('keyfare:signature-verifier');
