import { randomBytes } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { DryRun } from './exchange.js';

/** Carries the name of a dry run into the application; nobody outside can guess one. */
const nameHeader = 'keyfare-dry-run';

/** The dry runs under way. */
@Injectable()
export class DryRuns {
  readonly #running = new Map<string, DryRun>();

  /** Makes a dry run for as long as `work` takes; `headers` mark its request. */
  async run<T>(work: (dryRun: DryRun, headers: Readonly<Record<string, string>>) => Promise<T>): Promise<T> {
    const name = randomBytes(24).toString('base64url');
    const dryRun: DryRun = { exchange: undefined, passed: undefined };
    this.#running.set(name, dryRun);
    try {
      return await work(dryRun, { [nameHeader]: name });
    } finally {
      this.#running.delete(name);
    }
  }

  /** The dry run that this request is of, once. A header that names none says nothing. */
  take(request: FastifyRequest): DryRun | undefined {
    const name = request.headers[nameHeader];
    if (typeof name !== 'string') return undefined;
    const dryRun = this.#running.get(name);
    if (dryRun === undefined) return undefined;
    this.#running.delete(name);
    delete request.headers[nameHeader];
    // An injected request has no such member of its own.
    const distinct = Object.entries(request.headers).map(([header, value]) => [header, [value].flat()] as const);
    Object.defineProperty(request.raw, 'headersDistinct', { value: Object.fromEntries(distinct) });
    return dryRun;
  }
}

/** What is told of an address that sells nothing, whatever else is there. */
export function nothingSold(): Problem {
  return new Problem('request/not-found', 'Nothing is sold at this address.');
}
