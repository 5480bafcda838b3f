import { isBillingHere, runBillingMigrations } from '../billing-program.js';
import { type CommandSpec, type Context, type Input, isSet, textOf } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import { codeOf } from '../http/refusal.js';
import type { Output } from '../terminal/output.js';
import { envFileOption, withEnvFile } from './doctor.js';

/** In the order in which a program may migrate: the later ones are for who has fewer logins. */
const urlSettings = ['MIGRATION_DATABASE_URL', 'DIRECT_DATABASE_URL', 'DATABASE_URL'];

/** Brings schemas up to date. */
export const migrate: readonly CommandSpec[] = [
  {
    name: 'migrate',
    summary:
      "Brings the API's schema up to date, as the login of MIGRATION_DATABASE_URL (or else DATABASE_URL), which owns it. Safe to run again, twice at once, and beside programs that run.",
    options: [
      { flags: '--dry-run', description: 'changes nothing; it ends with 1 when something is pending' },
      { flags: '--billing', description: "billing's schemas instead; where its program is installed" },
      envFileOption,
    ],
    examples: [
      {
        line: 'migrate --dry-run',
        output: `pending  ShowAccountEnds1797000000200
pending  TellMigrations1797000034000`,
      },
      { line: 'migrate', output: `ran  ShowAccountEnds1797000000200\nran  TellMigrations1797000034000` },
    ],
    run: async (input, context) => {
      const env = withEnvFile(context.env, textOf(input, 'envFile'));
      return isSet(input, 'billing') ? migrateBilling(input, env, context) : migrateApi(input, env, context);
    },
  },
];

async function migrateApi(input: Input, env: NodeJS.ProcessEnv, { out }: Context): Promise<ExitCode> {
  const { migrateGate, pendingGateMigrations, withSecretFiles } = await import('@keyfare/gate/deployment');
  const { MissingRights } = await import('@keyfare/db/rights');
  const given = withSecretFiles(env, urlSettings);
  const name = urlSettings.find((setting) => (given[setting] ?? '') !== '');
  const url = name === undefined ? undefined : given[name];
  if (name === undefined || url === undefined) {
    throw new Failure(exitCodes.usage, 'no database: set MIGRATION_DATABASE_URL to a postgres:// URL of the owner');
  }
  if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new Failure(exitCodes.usage, `${name} is no postgres:// URL that can be read`, {
      lines: ['In a name or password write %2F for a /, %40 for @, %23 for #, %3F for ?.'],
    });
  }
  const isTrial = isSet(input, 'dryRun');
  try {
    const names = isTrial ? await pendingGateMigrations(url) : await migrateGate(url);
    return await show(out, isTrial, names);
  } catch (error) {
    if (error instanceof MissingRights) {
      throw new Failure(exitCodes.refused, 'the login may not migrate', { lines: error.sentences });
    }
    const { isConnectionLost } = await import('@keyfare/db/sql');
    if (!isConnectionLost(error)) throw error;
    throw new Failure(exitCodes.unreachable, `${new URL(url).host} cannot be reached (${codeOf(error)})`);
  }
}

/** Billing's own command runs them, where its program is installed. */
async function migrateBilling(input: Input, env: NodeJS.ProcessEnv, { out }: Context): Promise<ExitCode> {
  if (!isBillingHere()) {
    throw new Failure(exitCodes.usage, "billing's program is not installed here", {
      lines: ['Run this where it is, or run `node apps/billing/dist/src/migrate.js` there.'],
    });
  }
  const isTrial = isSet(input, 'dryRun');
  const { names } = await runBillingMigrations(env, { isTrial });
  return await show(out, isTrial, names);
}

async function show(out: Output, isTrial: boolean, names: readonly string[]): Promise<ExitCode> {
  if (out.json) await out.document(isTrial ? { pending: names } : { ran: names });
  else if (names.length === 0) await out.line(isTrial ? 'nothing is pending' : 'nothing was pending');
  else for (const name of names) await out.line(`${isTrial ? 'pending' : 'ran'}  ${name}`);
  return isTrial && names.length > 0 ? exitCodes.finding : exitCodes.ok;
}
