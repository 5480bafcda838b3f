import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ApiClient } from './api-client.js';
import { apiSession } from './api-session.js';

/** So often, at most, the API is told that something was done in a session. */
const everyMs = 60_000;
const maxKept = 10_000;

/** Tells the API that a session is not idle. Nobody waits for it, and what fails is told again a minute later. */
@Injectable()
export class Touches {
  readonly #toldMs = new Map<string, number>();

  constructor(private readonly api: ApiClient) {}

  touch(token: string, { ip: address }: FastifyRequest): void {
    const id = token.slice(0, 16);
    const now = performance.now();
    const told = this.#toldMs.get(id);
    if (told !== undefined && now - told < everyMs) return;
    this.#toldMs.delete(id);
    this.#toldMs.set(id, now);
    if (this.#toldMs.size > maxKept) {
      const [oldest] = this.#toldMs.keys();
      if (oldest !== undefined) this.#toldMs.delete(oldest);
    }
    void this.#tell(token, address).catch(() => this.#toldMs.delete(id));
  }

  async #tell(token: string, address: string): Promise<void> {
    await this.api.json(apiSession, { method: 'POST', path: '/admin/sessions/self/touch', token, address });
  }
}
