import { randomUUID } from 'node:crypto';

/**
 * The name of this process in the tables: a new one at each start, and again when its peers took it for dead. A name
 * that was swept never comes back, so nothing that was begun under it can be posted afterwards. Read it where it is
 * used; a copy may be out of date.
 */
export class ReplicaId {
  #id: string = randomUUID();
  #renew: () => Promise<void> = async () => undefined;

  get id(): string {
    return this.#id;
  }

  /** The process is registered under a new name. */
  rename(id: string): void {
    this.#id = id;
  }

  /** Sets what registers this process again; the heartbeat does. */
  onFenced(renew: () => Promise<void>): void {
    this.#renew = renew;
  }

  /** The database refused what this process did under `id` (SQLSTATE KF001). Resolves when it has a living name. */
  async fenced(id: string): Promise<void> {
    if (id === this.#id) await this.#renew();
  }
}

/** The SQLSTATE of a statement that a living process made under a name that was swept. */
export const fencedState = 'KF001';
