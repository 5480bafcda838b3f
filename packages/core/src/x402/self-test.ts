import { decodeHex, encodeHex } from '../encoding/index.js';
import type { SignatureVerifier } from './engine.js';

// Digests of short texts, signed with the keys 0x1111…, 0x2222… and 0x3333…; both recovery bits occur.
const vectors = [
  {
    digest: '0x978f410e6cc4d8dd547fe4ce5dc426294502abf1eb4761c7341982aeb6a48cf1',
    signature:
      '0x7a37567b0f32609d8396e2ef1d60ce9de9ed1473c1cda27a57104a19fe0a9a073e5d973ea1569fab225756813d18581bc69701d316db028d101d7a77757a6e481c',
    address: '0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a',
  },
  {
    digest: '0xb30d15702517bdbe74afbecafc3f16b95e13c620673b185df4f30132805edcf9',
    signature:
      '0xc8c40ac193efbdbfa25ce267f80947656dc82431ed4d9c803bd7557b4cd525621bbd864e47728e316aa582fc1ac8e96efa03a39b4de8c1110e451c5e807438f71b',
    address: '0x1563915e194d8cfba1943570603f7606a3115508',
  },
  {
    digest: '0x85db1b3f406ec15744a58b3400c77c3344a051a1b33e5c2ec9ec831f8222a070',
    signature:
      '0x1318c8ea2f9b980de8da6bd711079e854c96ef94c53a2b65298bd0774f7647a201daefdd43c6819e91e7d68559432cb05419707cdd2a7b1afab4c78fa6d544e91c',
    address: '0x5cbdd86a2fa8dc4bddd8a8f69dba48572eec07fb',
  },
] as const;

// keccak256 of the empty string, and of 200 zero bytes (more than one block of the sponge).
const emptyHash = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470';
const longHash = '0xe1bb54e1bc3af48d01e5dbfc81015c98152a574f6428c6948aa4837c9c0baad9';

/**
 * Whether the verifier gives the known answers: hashes, the signer of each vector, another signer once a bit of the
 * digest is flipped, and nobody for a signature of zeros. An engine that says yes to everything fails as one that says
 * no.
 */
export function passesSelfTest({ keccak256, recoverAddress }: SignatureVerifier): boolean {
  if (encodeHex(keccak256(new Uint8Array(0))) !== emptyHash) return false;
  if (encodeHex(keccak256(new Uint8Array(200))) !== longHash) return false;
  for (const vector of vectors) {
    const digest = decodeHex(vector.digest);
    const signature = decodeHex(vector.signature);
    if (recoverAddress(digest, signature) !== vector.address) return false;
    digest[0] = (digest[0] ?? 0) ^ 1;
    if (recoverAddress(digest, signature) === vector.address) return false;
    if (recoverAddress(digest, signature.fill(0, 0, 64)) !== null) return false;
  }
  return true;
}
