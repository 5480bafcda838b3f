import { readFileSync } from 'node:fs';
import { parseEnv, stripVTControlCharacters } from 'node:util';
import { type CommandSpec, type Context, type Input, isSet, textOf, textsOf } from '../command.js';
import type { Finding } from '../doctor/finding.js';
import { type ExitCode, exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import { escapeText } from '../terminal/escape.js';
import type { Output } from '../terminal/output.js';
import { wrapText } from '../terminal/wrap.js';

const groups = ['database', 'network', 'service'];
const colours = { ok: 'green', warn: 'yellow', fail: 'red', skipped: 'dim' } as const;

export const envFileOption = {
  flags: '--env-file <file>',
  description: 'settings from a file such as .env; what the environment has itself goes first',
};

/** Looks after a deployment. */
export const doctor: readonly CommandSpec[] = [
  {
    name: 'doctor',
    summary:
      'Looks at everything that the API needs, with the environment that it would have: settings, database, keys, networks, public URL. It changes nothing, shows no secret, and ends with 1 when something fails.',
    options: [
      envFileOption,
      { flags: '--billing', description: "looks at what billing needs, with billing's environment" },
      { flags: '--skip <group...>', description: 'does not look at these', choices: groups },
    ],
    examples: [
      {
        line: 'doctor --env-file .env --skip service',
        output: `ok       settings                     all good
ok       database                     keyfare_api is let into 127.0.0.1:5432/keyfare
ok       database.version             PostgreSQL 18.4
fail     network.base-sepolia.gas     the settler 0x51908f598a5e0d8f1a3bafa6df76f9704dad0720 has 0 of the chain's coin: gas for 0 settlements at the present fee
                                    → send it 0.0045 of the chain's coin on base-sepolia, for 5000 settlements
skipped  service                      as asked`,
      },
    ],
    run: examine,
  },
];

async function examine(input: Input, { env, out }: Context): Promise<ExitCode> {
  const patient = {
    env: withEnvFile(env, textOf(input, 'envFile')),
    now: () => new Date(),
    skip: textsOf(input, 'skip') ?? [],
  };
  // Loaded only here: the other commands need neither database nor chain.
  const findings = isSet(input, 'billing')
    ? (await import('../doctor/billing.js')).examineBilling(patient)
    : (await import('../doctor/run.js')).examineApi(patient);
  const all: Finding[] = [];
  for await (const finding of findings) {
    all.push(finding);
    for (const line of linesOf(finding, out)) await out.styledLine(line);
  }
  const failed = all.filter(({ status }) => status === 'fail').length;
  const warned = all.filter(({ status }) => status === 'warn').length;
  if (out.json) await out.document({ ok: failed === 0, failed, warned, findings: all });
  else await out.line(`${all.length} checks, ${failed} failed, ${warned} with a warning`);
  return failed === 0 ? exitCodes.ok : exitCodes.finding;
}

/** Where the sentences of findings begin. */
const indent = 38;

/** A finding and what to do, for people. */
function linesOf({ name, status, found, remedy }: Finding, out: Output): readonly string[] {
  const room = out.width === undefined ? undefined : Math.max(30, out.width - indent);
  const wrapped = (text: string, lead: string): readonly string[] =>
    wrapText(escapeText(text), room).map((line, index) => (index === 0 ? lead : ' '.repeat(indent)) + line);
  // The padding comes after the colour, whose codes take no room.
  const head = `${out.coloured(colours[status], status)}${' '.repeat(9 - status.length)}${name.padEnd(27)}  `;
  return [...wrapped(found, head), ...(remedy === null ? [] : wrapped(remedy, `${' '.repeat(indent - 2)}→ `))];
}

/** The environment with the settings of a file behind its own. */
export function withEnvFile(env: NodeJS.ProcessEnv, path: string | undefined): NodeJS.ProcessEnv {
  if (path === undefined) return env;
  try {
    return { ...parseEnv(readFileSync(path, 'utf8')), ...env };
  } catch {
    throw new Failure(exitCodes.usage, `the file ${stripVTControlCharacters(path)} cannot be read`);
  }
}
