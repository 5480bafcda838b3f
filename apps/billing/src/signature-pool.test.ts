import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { afterAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { SignaturePool, type SignatureQuestion } from './signature-pool.js';

const pairs = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];

function question(nth: number): SignatureQuestion {
  const { privateKey, publicKey } = pairs[nth % 2] as (typeof pairs)[number];
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const message = randomBytes(1 + (nth % 900));
  const key = { kty: 'OKP', crv: 'Ed25519', x, kid: `k${nth % 2}`, use: 'sig' } as const;
  return { message, signature: sign(null, message, privateKey), key };
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[0] = (copy[0] ?? 0) ^ 1;
  return copy;
}

describe('the pool of threads that check signatures', () => {
  const pool = new SignaturePool();
  afterAll(async () => pool.close());

  it.each([3, 1_000])(
    'answers %i questions in their order: no changed message, signature or key is good',
    async (count) => {
      const asked = Array.from({ length: count }, (_, nth) => {
        const good = question(nth);
        if (nth % 7 === 1) return { ...good, message: flipped(good.message) };
        if (nth % 7 === 2) return { ...good, signature: flipped(good.signature) };
        if (nth % 7 === 3) return { ...good, key: question(nth + 1).key };
        if (nth % 7 === 4) return { ...good, signature: good.signature.subarray(1) };
        return good;
      });
      const answers = await pool.verify(asked);
      expect(answers).toEqual(asked.map((_, nth) => [0, 5, 6].includes(nth % 7)));
    },
  );

  it('says no to a key that is none', async () => {
    const asked = Array.from({ length: 20 }, (_, nth) => ({
      ...question(nth),
      key: { ...question(nth).key, x: 'AA' },
    }));
    expect(await pool.verify(asked)).toEqual(asked.map(() => false));
  });

  it('fails whoever asked when a thread ends, and asks a new one the next time', async () => {
    const script = `import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(1));`;
    const broken = new SignaturePool(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    const asked = Array.from({ length: 300 }, (_, nth) => question(nth));
    await expect(broken.verify(asked)).rejects.toThrow('has ended');
    await expect(broken.verify(asked)).rejects.toThrow('has ended');
    await broken.close();
    await expect(broken.verify(asked)).rejects.toThrow('any more');
  });

  it('leaves nobody waiting when it is closed', async () => {
    const closing = new SignaturePool();
    const asked = closing.verify(Array.from({ length: 2_000 }, (_, nth) => question(nth)));
    await Promise.all([expect(asked).rejects.toThrow(), closing.close()]);
  });
});
