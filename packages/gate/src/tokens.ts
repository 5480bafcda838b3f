/** Injection token of what is built by a function, not by a class. */
export const signatureVerifier = Symbol('keyfare:signature-verifier');
