import { decodeHex, encodeHex, type Hex } from '@keyfare/core/encoding';

/** The curve and the hash under the wallet. */
export interface SigningEngine {
  /** `noble` is some ten times slower. */
  readonly name: 'wasm' | 'noble';
  keccak256(bytes: Uint8Array): Uint8Array;
  /** Deterministic (RFC 6979), low s: the recovery bit, r and s, 65 bytes. */
  sign(digest: Uint8Array, privateKey: Uint8Array): Uint8Array;
  /** Uncompressed, 65 bytes. Throws for a number that is no private key. */
  publicKey(privateKey: Uint8Array): Uint8Array;
}

/** libsecp256k1 compiled to WebAssembly, if it passes the self-test; else the audited JavaScript implementation. */
export async function loadSigningEngine(load: () => Promise<SigningEngine> = loadWasm): Promise<SigningEngine> {
  try {
    const engine = await load();
    if (passesSelfTest(engine)) return engine;
  } catch {
    // No WebAssembly here, or not this one: the other implementation runs everywhere.
  }
  return await loadNoble();
}

async function loadWasm(): Promise<SigningEngine> {
  const [{ engine: loadCurve }, { engine: loadHash }] = await Promise.all([
    import('ox/wasm/Secp256k1'),
    import('ox/wasm/Hash'),
  ]);
  const [curve, hash] = await Promise.all([loadCurve(), loadHash()]);
  return {
    name: 'wasm',
    keccak256: (bytes) => hash.keccak256(bytes),
    sign: (digest, privateKey) => curve.sign(digest, privateKey, { prehash: false, extraEntropy: false }),
    publicKey: (privateKey) => curve.getPublicKey(privateKey),
  };
}

async function loadNoble(): Promise<SigningEngine> {
  const [Secp256k1, Hash] = await Promise.all([import('ox/Secp256k1'), import('ox/Hash')]);
  return {
    name: 'noble',
    keccak256: (bytes) => Hash.keccak256(bytes, { as: 'Bytes' }),
    sign: (digest, privateKey) => {
      const { r, s, yParity } = Secp256k1.sign({ payload: digest, privateKey, extraEntropy: false });
      return Uint8Array.of(yParity, ...decodeHex(word(r)), ...decodeHex(word(s)));
    },
    publicKey: (privateKey) => {
      const { x, y } = Secp256k1.getPublicKey({ privateKey });
      return Uint8Array.of(4, ...decodeHex(word(x)), ...decodeHex(word(y)));
    },
  };
}

function word(value: Hex): Hex {
  return `0x${value.slice(2).padStart(64, '0')}`;
}

// Known answers: the key is 1, 2, … 32; the digest is the Keccak-256 of no bytes. From viem, which signs with noble.
const vector = {
  privateKey: Uint8Array.from({ length: 32 }, (_, index) => index + 1),
  digest: '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
  publicKey:
    '0x0484bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b08cc43d63b2859d469fee15f31c9edb5324266e6fd0407e87382d60fc4511acd8',
  signature:
    '0x0078813be69260485e22b852d7775ee2bdb87d80f58556c97225208c8892355b01384fc4b27b94bcf3c3a8211030c2ac143baf11cc83fbf28fbb849ba48202abed',
};

function passesSelfTest(engine: SigningEngine): boolean {
  const digest = engine.keccak256(new Uint8Array());
  return (
    encodeHex(digest) === vector.digest &&
    encodeHex(engine.publicKey(vector.privateKey)) === vector.publicKey &&
    encodeHex(engine.sign(digest, vector.privateKey)) === vector.signature
  );
}
