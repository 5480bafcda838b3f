import { createHash } from 'node:crypto';

/** Numbers that are the same for the same seed, on every machine. */
export interface Random {
  /** At least 0 and less than 1. */
  next(): number;
  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number;
  pick<T>(list: readonly T[]): T;
  /** Another stream, which draws from this one nothing: what is added to one part of a history moves no other. */
  fork(label: string): Random;
  /** `length` bytes, 32 at most, that `label` names. */
  bytes(label: string, length?: number): Buffer;
}

/** A stream of the seed's text: SFC32 over its SHA-256. */
export function randomOf(seed: string): Random {
  const digest = createHash('sha256').update(seed).digest();
  let [a, b, c, count] = [digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8), 1];
  const next = (): number => {
    const sum = (a + b + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 4_294_967_296;
  };
  for (let turn = 0; turn < 16; turn += 1) next();
  const whole = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    whole,
    pick: (list) => {
      const picked = list[whole(0, list.length - 1)];
      if (picked === undefined) throw new RangeError('nothing to pick from');
      return picked;
    },
    fork: (label) => randomOf(`${seed}/${label}`),
    bytes: (label, length = 32) => createHash('sha256').update(`${seed}#${label}`).digest().subarray(0, length),
  };
}
