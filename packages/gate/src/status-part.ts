import { readFileSync } from 'node:fs';
import { isProblem } from '@keyfare/core/problem';
import { DatabaseUnavailable } from '@keyfare/db/sql';
import { ChainUnavailable } from '@keyfare/evm/chain';
import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { isOtherChain } from './other-chain.js';
import { withTimeout } from './with-timeout.js';

/** Why a part is not known: it did not answer in time, cannot be reached, or failed; a node may be of another chain. */
const reasons = ['late', 'away', 'wrong-chain', 'failed'] as const;

/** What one source says of itself, or why nothing is known of it now. */
export type Part<T> =
  | ({ readonly state: 'available' } & T)
  | { readonly state: 'unavailable'; readonly reason: (typeof reasons)[number] };

/** The schema of a part. */
export const partOf = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.discriminatedUnion('state', [
    z.object({ state: z.literal('available'), ...shape }),
    z.object({ state: z.literal('unavailable'), reason: z.enum(reasons) }),
  ]);

const waitMs = 2_000;

class Late extends Error {}

/**
 * A source that is asked by many who wait two seconds at most: while an answer is under way nobody asks again, so a
 * source that is slow has one question to answer, however many look.
 */
export class StatusPart<T extends object> {
  readonly #logger = new Logger('Status');
  #asking: Promise<T> | undefined;

  constructor(private readonly question: () => Promise<T>) {}

  /** Never rejects. */
  async read(): Promise<Part<T>> {
    this.#asking ??= this.question().finally(() => {
      this.#asking = undefined;
    });
    try {
      return { state: 'available', ...(await withTimeout(this.#asking, waitMs, () => new Late())) };
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === 'failed') this.#logger.warn(error);
      return { state: 'unavailable', reason };
    }
  }
}

function reasonOf(error: unknown): (typeof reasons)[number] {
  if (error instanceof Late) return 'late';
  if (isOtherChain(error)) return 'wrong-chain';
  return error instanceof DatabaseUnavailable || error instanceof ChainUnavailable || isProblem(error)
    ? 'away'
    : 'failed';
}

/** The version in the `package.json` at this place. */
export function readVersion(at: URL): string {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(at, 'utf8'))).version;
}
