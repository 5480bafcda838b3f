import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type HistoryOptions, type Manifest, makeHistory } from './history.js';
import { openSeedHome } from './home.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const usage = `npm run seed -- [--accounts 20] [--calls 2000] [--months 3] [--seed 1] [--until 2026-11] [--paid-percent 2]
  [--no-breaks] [--home DIR] [--manifest FILE] [--json]
With DATABASE_URL (a superuser's) and RPC_URL (a local chain's) in the environment, there; else in a home of its own.`;

/** The options, or the fault in them. */
function read(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      accounts: { type: 'string', default: '20' },
      calls: { type: 'string', default: '2000' },
      months: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      until: { type: 'string' },
      'paid-percent': { type: 'string', default: '2' },
      'no-breaks': { type: 'boolean', default: false },
      home: { type: 'string', default: join(root, '.keyfare', 'seed') },
      manifest: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const whole = (name: 'accounts' | 'calls' | 'months' | 'paid-percent', least: number): number => {
    const text = values[name];
    if (!/^\d{1,9}$/.test(text) || Number(text) < least) {
      throw new TypeError(`--${name} must be a whole number, ${String(least)} at least`);
    }
    return Number(text);
  };
  if (values.until !== undefined && !/^\d{4}-(0[1-9]|1[0-2])$/.test(values.until)) {
    throw new TypeError('--until must be a month, as in 2026-11');
  }
  const options: HistoryOptions = {
    accounts: whole('accounts', 2),
    calls: whole('calls', 50),
    months: whole('months', 1),
    seed: values.seed,
    paidPercent: whole('paid-percent', 0),
    breaks: !values['no-breaks'],
    ...(values.until === undefined ? {} : { until: values.until }),
  };
  return { options, home: resolve(values.home), manifest: values.manifest, json: values.json };
}

/** The command: 0 when a history was made, 1 when not, 2 for a fault in its options. */
export async function run(args: readonly string[]): Promise<number> {
  let asked: ReturnType<typeof read>;
  try {
    asked = read(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    return 2;
  }
  try {
    await make(asked);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  }
}

async function make({ options, home: path, manifest: wanted, json }: ReturnType<typeof read>): Promise<void> {
  const { DATABASE_URL: databaseUrl = '', RPC_URL: rpcUrl = '' } = process.env;
  const isGiven = databaseUrl !== '' && rpcUrl !== '';
  const home = isGiven ? undefined : await openSeedHome(path, options);
  const startedMs = performance.now();
  const say = (step: string): void => {
    if (json) return;
    process.stdout.write(`${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(7)} s  ${step}\n`);
  };
  try {
    const made = await makeHistory(home ?? { databaseUrl, rpcUrl }, options, say);
    const file = resolve(wanted ?? (home === undefined ? 'manifest.json' : join(home.path, 'manifest.json')));
    writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`);
    process.stdout.write(json ? `${JSON.stringify({ manifest: file })}\n` : `${summary(made, file, home?.path)}\n`);
  } finally {
    await home?.close();
  }
}

const list = (numbers: Readonly<Record<string, number>>): string =>
  Object.entries(numbers)
    .map(([name, number]) => `${name} ${String(number)}`)
    .join(', ');

function summary(
  { from, until, served, refused, entries, breaks, tookSeconds }: Manifest,
  file: string,
  home?: string,
): string {
  const planted = breaks.filter(({ kind }) => kind === 'planted').length;
  return `
from ${from} until ${until}, made in ${String(tookSeconds)} s
  served    ${list(served)}
  refused   ${list(refused) || 'none'}
  entries   ${list(entries)}
  breaks    ${String(planted)} planted, ${String(breaks.length - planted)} of the history itself
  manifest  ${file}${home === undefined ? '' : `\n\n  KEYFARE_HOME=${home} npm start -- --no-story`}`;
}
