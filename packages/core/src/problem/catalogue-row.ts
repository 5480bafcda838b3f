/** What is the same of every occurrence of a refusal. */
export interface CatalogueRow {
  /** The HTTP status. */
  readonly status: number;
  /** What is wrong, in a few words; the same for every occurrence (RFC 9457, section 3.1.3). */
  readonly title: string;
  /** What to say of an occurrence when the thrower has nothing more exact. */
  readonly detail?: string;
  /** What the caller can do about it. */
  readonly remedy: string;
}
