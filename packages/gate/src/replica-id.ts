import { randomUUID } from 'node:crypto';

/** The name of this process in the tables; a new one at each start. */
export class ReplicaId {
  readonly id = randomUUID();
}
