import { createHmac } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { hash, verify } from '@node-rs/argon2';
import { z } from 'zod';
import { sameText } from './operator.js';

/** As the library numbers it; its enum is of the types alone. */
const argon2id = 2;
/** Argon2id (RFC 9106) with the least that OWASP's cheat sheet for passwords names: 19 MiB, two passes, one lane. */
const parameters = { algorithm: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** NIST SP 800-63B §3.1.1: long enough, any character, no rules of composition. */
export const passwordText = z
  .string()
  .min(12)
  .max(128)
  .refine((text) => new Set(text).size >= 5, 'must have at least five different characters');

/** So many may wait for their turn in a lane; with more, the next is refused. */
const maxWaiting = 32;

/** One at a time: however many come, they take the memory of one. */
class Lane {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= maxWaiting) {
      throw new Problem('service/overloaded', undefined, { headers: { 'retry-after': '5' } });
    }
    this.#waiting += 1;
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }
}

/**
 * Hashes and checks passwords, off the main thread. Two lanes: those whose browser has signed in before do not wait
 * behind strangers.
 */
export class Passwords {
  readonly #known = new Lane();
  readonly #strangers = new Lane();
  #nobody: Promise<string> | undefined;

  async hash(password: string): Promise<string> {
    return this.#known.run(async () => hash(password, parameters));
  }

  /** With null for who does not exist, or has no password, it takes the same time, and is wrong. */
  async isRight(password: string, expected: string | null, isKnown: boolean): Promise<boolean> {
    this.#nobody ??= hash('nobody has this password', parameters);
    const against = expected ?? (await this.#nobody);
    const lane = isKnown ? this.#known : this.#strangers;
    const isRight = await lane.run(async () => verify(against, password));
    return isRight && expected !== null;
  }
}

/** What a browser keeps that has signed in: good until the password changes. */
export function deviceOf(operatorId: string, passwordHash: string): string {
  return createHmac('sha256', passwordHash).update(`keyfare device ${operatorId}`).digest('base64url');
}

export function isDevice(presented: string, operatorId: string, passwordHash: string): boolean {
  return sameText(presented, deviceOf(operatorId, passwordHash));
}
