// `node scripts/node-local.mjs`: statements that only one PostgreSQL node understands (advisory locks, LISTEN and NOTIFY,
// transaction ids, snapshots, names of backends and rows), and those that need a session, stand in
// packages/db/src/node-local and nowhere else in what ships.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const home = 'packages/db/src/node-local/';
/** What the product does not run: tests, and what they and a developer's machine are built of. */
const unshipped = /\.test\.ts$|^(apps|packages)\/[^/]+\/test\/|^packages\/(testing|fixtures|devstack|seed)\//;
/** Released migrations, which are never edited. A later one does without. */
const released = new Set([
  'packages/gate/src/key/key.migration.ts',
  'packages/gate/src/log/log.migration.ts',
  'packages/gate/src/terms/account-order.migration.ts',
  'packages/gate/src/terms/terms.migration.ts',
]);
const words = [
  /\bpg_(try_)?advisory_\w+/gi,
  /\bpg_notify\b/gi,
  /\btxid_\w+/gi,
  /\bpg_current_xact_id\w*/gi,
  /\bpg_(current_|export_)?snapshot\w*/gi,
  // What one row or one backend of a node is called.
  /\b(pg_backend_pid|pg_locks|pg_stat_activity|pg_terminate_backend)\b/gi,
  /\b(xmin|xmax|ctid)\b/gi,
  // State of a session: a pooler in transaction mode gives the next transaction another one.
  /\b(create (global |local )?temp(orary)? |with hold\b|set (session|role) |reset role\b|discard all\b)/gi,
  // As statements: at the beginning of a text, or after another one.
  /(?<=['"`;]\s*)(un)?(listen|notify) [\w$]+/gi,
];

const sources = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'apps/*.ts', 'packages/*.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)))
  .filter((path) => !path.startsWith(home) && !unshipped.test(path) && !released.has(path));

const found = sources.flatMap((path) => {
  const text = readFileSync(join(root, path), 'utf8');
  return words
    .flatMap((word) => Array.from(text.matchAll(word)))
    .map(({ 0: word, index }) => `${path}:${text.slice(0, index).split('\n').length}: ${word}`);
});

for (const place of found) console.error(`${place}: belongs into ${home}`);
console.log(`${sources.length} sources, ${found.length} node-local statements outside ${home}`);
process.exitCode = found.length === 0 ? 0 : 1;
