/** How a statement ended: as it should, refused by the database, or with its connection. */
export type SqlOutcome = 'ok' | 'failed' | 'lost';

/** Hears what a pool does, for metrics and traces. Its methods must not throw. */
export interface SqlObserver {
  /**
   * A statement is sent, by its `name`; `unnamed` for one without, and `commit` for the end of a transaction. The
   * function that it answers is called when the statement has ended.
   */
  began(statement: string): (outcome: SqlOutcome) => void;
  /** A connection was had after so long, or was not to be had. */
  connected(waitedSeconds: number): void;
}

/** What a pool has at the moment. */
export interface PoolState {
  readonly busy: number;
  readonly idle: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
}
