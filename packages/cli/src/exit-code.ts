/** What the program ends with. Scripts rely on these: a number keeps its meaning. */
export const exitCodes = {
  /** Done, and nothing was found wrong. */
  ok: 0,
  /**
   * Something was found wrong: a check of the doctor, a break, a receipt that is not genuine; or the server
   * failed, or the output could not be written whole.
   */
  finding: 1,
  /** The command line or a setting is wrong, or the server says that the request is. */
  usage: 2,
  /** The server, the database or the node cannot be reached, or cannot answer now. */
  unreachable: 3,
  /** The operator is not known, or may not do this. */
  refused: 4,
  /** It is not there, or another state of it is: not found, in conflict, changed meanwhile. */
  conflict: 5,
} as const;

/** One of `exitCodes`. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
