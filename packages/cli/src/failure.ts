import type { ExitCode } from './exit-code.js';

/** Why a command could not do its work, in words for people. It ends the program with its exit code. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: ExitCode;
  /** What a program reads of it: the server's problem document, where there is one. */
  readonly document: Readonly<Record<string, unknown>>;
  /** Lines below the title: what is wrong this time, and where it is explained. */
  readonly lines: readonly string[];

  constructor(
    exitCode: ExitCode,
    title: string,
    { lines = [], document = {} }: { lines?: readonly string[]; document?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(title);
    this.exitCode = exitCode;
    this.lines = lines;
    this.document = { title, ...(lines.length === 0 ? {} : { detail: lines.join(' ') }), ...document };
  }
}
