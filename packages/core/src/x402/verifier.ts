import { createVerifier, nobleEngine, type RecoveryEngine, type SignatureVerifier } from './engine.js';
import { passesSelfTest } from './self-test.js';

/**
 * Loads the fastest verifier that works here: libsecp256k1 and keccak compiled to WebAssembly by `ox`, held privately
 * and not installed for the whole process, where any dependency could replace them. If they cannot be loaded, or do not
 * pass a self-test on fixed vectors, @noble/curves takes over and `engine` says so. Never rejects.
 *
 * Tests give another `loadEngine`.
 */
export async function loadSignatureVerifier(
  loadEngine: () => Promise<RecoveryEngine> = loadWasmEngine,
): Promise<SignatureVerifier> {
  try {
    const verifier = createVerifier('wasm', await loadEngine());
    if (passesSelfTest(verifier)) return verifier;
  } catch {
    // No WebAssembly here, or not enough memory for it: the fallback needs neither.
  }
  return createVerifier('noble', nobleEngine);
}

async function loadWasmEngine(): Promise<RecoveryEngine> {
  const [curve, hash] = await Promise.all([import('ox/wasm/Secp256k1'), import('ox/wasm/Hash')]);
  const [{ recoverPublicKey }, { keccak256 }] = await Promise.all([curve.engine(), hash.engine()]);
  return {
    keccak256: (bytes) => keccak256(bytes),
    recoverPublicKey: (signature, digest) => recoverPublicKey(signature, digest),
  };
}
