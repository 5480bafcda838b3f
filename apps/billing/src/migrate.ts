import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { MissingRights } from '@keyfare/db/rights';
import { isConnectionLost } from '@keyfare/db/sql';
import { withSecretFiles } from '@keyfare/gate/server';
import { migrateBilling, pendingBillingMigrations } from './database.js';

// `node apps/billing/dist/src/migrate.js [--dry-run]`: brings billing's schemas up to date as the login that owns them,
// and prints what it ran, or would run, as `{ "names": […] }`. `keyfare migrate --billing` runs it.
// Ends with 0, 1 (it failed), 2 (no URL), 3 (the database cannot be reached) or 4 (the login may not migrate).
const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } });
const settings = ['MIGRATION_DATABASE_URL', 'DIRECT_DATABASE_URL', 'DATABASE_URL'];
const env = withSecretFiles(process.env, settings);
const url = settings.map((name) => env[name]).find((text) => text !== undefined && text !== '');
if (url === undefined) {
  process.stderr.write('error: no database: set MIGRATION_DATABASE_URL to a postgres:// URL of the owner\n');
  process.exitCode = 2;
} else {
  try {
    const names = values['dry-run'] ? await pendingBillingMigrations(url) : await migrateBilling(url);
    process.stdout.write(`${JSON.stringify({ names })}\n`);
  } catch (error) {
    if (!(error instanceof MissingRights) && !isConnectionLost(error)) throw error;
    process.stderr.write(`error: ${error instanceof Error ? error.message : 'the database cannot be reached'}\n`);
    process.exitCode = isConnectionLost(error) ? 3 : 4;
  }
}
