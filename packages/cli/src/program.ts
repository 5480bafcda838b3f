import { readFileSync } from 'node:fs';
import { Argument, Command, CommanderError, Option } from 'commander';
import type { CommandSpec, Context, OptionSpec } from './command.js';
import { commands, groups } from './commands/index.js';
import { type ExitCode, exitCodes } from './exit-code.js';
import { Failure } from './failure.js';
import { Client, type ClientSettings } from './http/client.js';
import { isInTheClear, readToken, readUrl } from './settings.js';
import { Output, type Stream } from './terminal/output.js';

/** What the program takes from the process it runs in. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly stdin: NodeJS.ReadableStream;
}

const jsonOption: OptionSpec = { flags: '--json', description: 'one JSON document on stdout, and nothing else there' };
const urlOptions = {
  api: { flags: '--api-url <url>', description: 'the API; default: KEYFARE_API_URL' },
  billing: { flags: '--billing-url <url>', description: 'billing; default: KEYFARE_BILLING_URL' },
} as const;

/** Runs a command line and resolves with the exit code; nothing is thrown. */
export async function runProgram(args: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  const state: { exitCode: ExitCode } = { exitCode: exitCodes.ok };
  const program = createProgram(surroundings, (exitCode) => {
    state.exitCode = exitCode;
  });
  const out = new Output({ ...surroundings, json: args.includes('--json') });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return state.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // The parser has said what is wrong already.
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    if (error instanceof Failure) {
      out.failure(error);
      return error.exitCode;
    }
    out.failure(
      new Failure(exitCodes.finding, `unexpected: ${error instanceof Error ? error.message : String(error)}`),
    );
    return exitCodes.finding;
  }
}

/** The program as a process: its arguments, environment and streams. */
export async function main(): Promise<void> {
  const { env, stdout, stderr, stdin } = process;
  // Who reads our output may go away, as `head` does, and a disk may be full: what was not written whole is not called
  // good.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') stderr.write(`keyfare: the output could not be written: ${error.message}\n`);
    process.exit(exitCodes.finding);
  });
  process.exitCode = await runProgram(process.argv.slice(2), { env, stdout, stderr, stdin });
}

/** Every command with its help. `onExit` gets the exit code of the one that ran. */
export function createProgram(surroundings: Surroundings, onExit: (exitCode: ExitCode) => void): Command {
  const program = new Command('keyfare')
    .description(
      'Runs Keyfare from a terminal: plans, accounts, keys, payments, receipts, the books; and looks after it.',
    )
    .version(readVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: false })
    .helpCommand(false)
    .showSuggestionAfterError();
  const parents = new Map<string, Command>();
  for (const spec of commands) {
    const words = spec.name.split(' ');
    const name = words.pop() ?? '';
    const [group] = words;
    let parent = program;
    if (group !== undefined) {
      parent =
        parents.get(group) ??
        program
          .command(group)
          .description(groups[group] ?? '')
          .helpCommand(false);
      parents.set(group, parent);
    }
    addCommand(parent.command(name), spec, async (input, json) => {
      const out = new Output({ ...surroundings, json });
      onExit((await spec.run(input, contextOf(input.options, { ...surroundings, out }))) ?? exitCodes.ok);
    });
  }
  return program;
}

/** The options of a command: its own, and those that many have. */
export function optionsOf(spec: CommandSpec): readonly OptionSpec[] {
  if (spec.speaks === undefined) return [...(spec.options ?? []), jsonOption];
  const seconds = String(spec.timeoutSeconds ?? 30);
  const timeout = { flags: '--timeout <seconds>', description: 'how long to wait for an answer', default: seconds };
  return [...(spec.options ?? []), jsonOption, urlOptions[spec.speaks], timeout];
}

function addCommand(
  command: Command,
  spec: CommandSpec,
  run: (input: Parameters<CommandSpec['run']>[0], json: boolean) => Promise<void>,
): void {
  command.description(spec.summary);
  for (const { name, description, choices } of spec.arguments ?? []) {
    const argument = new Argument(`<${name}>`, description);
    command.addArgument(choices === undefined ? argument : argument.choices([...choices]));
  }
  for (const { flags, description, choices, required, default: byDefault } of optionsOf(spec)) {
    const option = new Option(flags, description);
    if (choices !== undefined) option.choices([...choices]);
    if (byDefault !== undefined) option.default(byDefault);
    command.addOption(option.makeOptionMandatory(required === true));
  }
  command.addHelpText('after', `\nExamples:\n${spec.examples.map(({ line }) => `  $ keyfare ${line}`).join('\n')}`);
  command.action(async (...given: unknown[]) => {
    const options = command.opts<Record<string, unknown>>();
    const args = given.slice(0, spec.arguments?.length ?? 0).map(String);
    await run({ args, options }, options['json'] === true);
  });
}

function contextOf(
  options: Readonly<Record<string, unknown>>,
  { env, stdin, out }: Pick<Surroundings, 'env' | 'stdin'> & { readonly out: Output },
): Context {
  const open = (name: 'KEYFARE_API_URL' | 'KEYFARE_BILLING_URL', token: string | undefined): Client => {
    const given = options[name === 'KEYFARE_API_URL' ? 'apiUrl' : 'billingUrl'];
    const url = readUrl(typeof given === 'string' ? given : undefined, env, name);
    if (token !== undefined && isInTheClear(url)) {
      out.note(`warning: the operator's token goes to ${url.origin} unencrypted: use https`);
    }
    return new Client({ name, url, token, ...clientSettings(options), note: (text) => out.note(text) });
  };
  return {
    out,
    env,
    stdin,
    api: () => open('KEYFARE_API_URL', readToken(env)),
    billing: () => open('KEYFARE_BILLING_URL', readToken(env)),
    publicApi: () => open('KEYFARE_API_URL', undefined),
  };
}

function clientSettings(
  options: Readonly<Record<string, unknown>>,
): Pick<ClientSettings, 'timeoutMs' | 'idempotencyKey'> {
  const seconds = Number(options['timeout']);
  if (!(seconds >= 1 && seconds <= 86_400)) {
    throw new Failure(exitCodes.usage, '--timeout must be a number of seconds from 1 to 86400');
  }
  const key = options['idempotencyKey'];
  if (typeof key === 'string' && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Failure(exitCodes.usage, '--idempotency-key must be 1 to 255 printable ASCII characters');
  }
  return { timeoutMs: seconds * 1_000, idempotencyKey: typeof key === 'string' ? key : undefined };
}

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
