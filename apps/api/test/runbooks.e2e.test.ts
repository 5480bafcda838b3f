import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adminQuery } from '@keyfare/devstack/postgres';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { readRunbookSql } from '@keyfare/fixtures/papers';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
/**
 * Their statements change what the others read, and have tests of their own: image.soak, and retire-month in the gate.
 */
const elsewhere: ReadonlySet<string> = new Set(['first-deployment.md', 'the-log-grows.md']);
const pages = readdirSync(join(root, 'docs/runbooks')).filter((page) => !elsewhere.has(page));
const withSql = pages.filter((page) => readRunbookSql(page).length > 0);

describe('the SQL of a runbook', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
    const env = { PATH: process.env['PATH'] ?? '', MIGRATION_DATABASE_URL: database.url };
    execFileSync(process.execPath, [join(root, 'docker/migrate.mjs')], { env, encoding: 'utf8' });
  }, 60_000);
  afterAll(async () => database.drop());

  it('stands on the pages that look into the database', () => {
    expect(withSql).toEqual(
      expect.arrayContaining(['gas-top-up.md', 'restore.md', 'settlements-stall.md', 'upgrade.md']),
    );
  });

  it.each(withSql)('runs as it stands on %s, against the schemas of both programs', async (page) => {
    for (const statement of readRunbookSql(page).flat()) {
      await expect(adminQuery(database.url, statement)).resolves.toBeDefined();
    }
  });
});
