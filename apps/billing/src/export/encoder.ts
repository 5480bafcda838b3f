/** Turns rows that come in order into what is written, with no more kept than the last of them. */
export interface Encoder<Row, Out> {
  readonly start: () => Iterable<Out>;
  readonly row: (row: Row) => Iterable<Out>;
  readonly end: () => Iterable<Out>;
}
