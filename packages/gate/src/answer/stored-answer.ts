/** An answer as it left. */
export interface StoredAnswer {
  readonly exchangeId: string;
  /** SHA-256 of each name under which the caller may ask for it again. */
  readonly owners: readonly Buffer[];
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Buffer;
}

/** An answer on its way into the database. */
export interface NewAnswer extends StoredAnswer {
  readonly expiresAt: Date;
}
