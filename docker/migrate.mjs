// Brings the schemas of both programs up to date, as the login that owns them, and ends: with 0, or with 1 and the reason.
// MIGRATION_DATABASE_URL, or MIGRATION_DATABASE_URL_FILE with the name of a file that holds it. Safe to run again, and twice at once.
import { migrateBilling } from '../apps/billing/dist/src/database.js';
import { migrateGate } from '../packages/gate/dist/src/database.js';
import { main, withSecretFiles } from '../packages/gate/dist/src/server/index.js';

await main(async () => {
  const { MIGRATION_DATABASE_URL: url } = withSecretFiles(process.env);
  if (url === undefined || url === '') throw new Error('MIGRATION_DATABASE_URL is missing, or its file cannot be read');
  const ran = [...(await migrateGate(url)), ...(await migrateBilling(url))];
  process.stdout.write(`${ran.map((name) => `${name}\n`).join('')}${ran.length} migrations ran\n`);
});
