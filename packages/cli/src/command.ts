import type { ExitCode } from './exit-code.js';
import type { Client } from './http/client.js';
import type { Output } from './terminal/output.js';

/** An argument of a command, in its place. */
interface ArgumentSpec {
  readonly name: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

/** An option of a command. */
export interface OptionSpec {
  /** As people write it: `--plan <slug>`, or `--dry-run` for a switch; `<scope...>` takes several. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly required?: boolean;
  readonly default?: string;
}

/** How a command is used, and what it answers. */
interface Example {
  /** The command line, without `keyfare`. */
  readonly line: string;
  /** What is printed. */
  readonly output: string;
}

/** What a command line says. */
export interface Input {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a command works with. */
export interface Context {
  readonly out: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadableStream;
  /** The API, as the operator. A `Failure` where its URL or the token is not set. */
  readonly api: () => Client;
  /** Billing, as the operator. */
  readonly billing: () => Client;
  /** The API, as anybody: for what needs no operator. */
  readonly publicApi: () => Client;
}

/** One command of the program. */
export interface CommandSpec {
  /** Its words, such as `accounts list`. */
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly Example[];
  /** Speaks to the API or billing over HTTP: then it takes their URLs. */
  readonly speaks?: 'api' | 'billing';
  /** How long its answer is waited for, unless `--timeout` says it. @default 30 */
  readonly timeoutSeconds?: number;
  /** Resolves with the exit code; nothing means that all is well. */
  readonly run: (input: Input, context: Context) => Promise<ExitCode | undefined>;
}

/** An option's text; undefined where it is not given. */
export function textOf({ options }: Input, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** Whether a switch is set. */
export function isSet({ options }: Input, name: string): boolean {
  return options[name] === true;
}

/** All texts of an option that takes several. */
export function textsOf({ options }: Input, name: string): readonly string[] | undefined {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : undefined;
}

/** An argument that the parser has seen to. */
export function argument({ args }: Input, index = 0): string {
  return args[index] ?? '';
}

/** The members that are given, so that a request says nothing of what the command line left out. */
export function given(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
