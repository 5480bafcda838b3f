import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runProgram } from '../src/program.js';

/** How a command line ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, with this environment and nothing else. */
export async function runCli(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { stdin = '', terminal }: { readonly stdin?: string; readonly terminal?: { readonly columns: number } } = {},
): Promise<Ended> {
  const [stdout, stderr, input] = [new PassThrough(), new PassThrough(), new PassThrough()];
  if (terminal !== undefined) Object.assign(stdout, { isTTY: true, columns: terminal.columns });
  input.end(stdin);
  const outputs = Promise.all([text(stdout), text(stderr)]);
  const code = await runProgram(args, { env, stdin: input, stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await outputs;
  return { code, stdout: out, stderr: err };
}
