// `node scripts/postgres-features.mjs`: writes which rooms use which feature of PostgreSQL into the table of
// docs/postgres-features.md; `--check` fails when the page says otherwise.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/postgres-features.md');
const checks = process.argv.includes('--check');

/** By the names that stand in the page's first column. */
const features = {
  LISTEN: /`listen \$\{/i,
  NOTIFY: /\bpg_notify\b|db\/notify'/i,
  'advisory locks': /\bpg_(try_)?advisory_|db\/advisory-lock'/i,
  'transaction ids, snapshots': /\b(pg_current_xact_id|txid_|pg_current_snapshot|pg_snapshot_)/i,
  'exported snapshots': /\bpg_export_snapshot\b|db\/snapshot'/i,
  '`unnest` of arrays': /\bunnest\(/i,
  '`on conflict`': /\bon conflict\b/i,
  partitions: /\bpartition (by|of)\b|\b(attach|detach) partition\b/i,
  triggers: /\bcreate (constraint )?trigger\b/i,
  'deferred constraint triggers': /\bdeferrable initially deferred\b/i,
  '`for update`, `for share`': /\bfor (no key )?update\b|\bfor (key )?share\b/i,
  '`skip locked`': /\bskip locked\b/i,
  'writes in a CTE': /\bas (materialized )?\(\s*(insert into|update|delete from)\b/i,
  'PL/pgSQL functions': /\blanguage plpgsql\b/i,
  '`security definer`': /\bsecurity definer\b/i,
  'partial indexes': /\bcreate (unique )?index [^;`]*\bwhere\b/i,
  'generated columns': /\bgenerated always as \(/i,
  'foreign keys': /\breferences (keyfare|billing)\./i,
  cursors: /\bdeclare \w+ no scroll cursor\b/i,
};

function roomOf(path) {
  const [, place, rest] = /^(packages\/db|packages\/gate|apps\/billing|apps\/api)\/src\/(.*)$/.exec(path) ?? [];
  const name = place.split('/')[1];
  return rest.includes('/') ? `${name}/${rest.split('/')[0]}` : name;
}

const sources = ['packages/db/src', 'packages/gate/src', 'apps/billing/src', 'apps/api/src'];
const found = new Map(Object.keys(features).map((name) => [name, new Set()]));
for (const path of execFileSync('git', ['ls-files', ...sources], { cwd: root, encoding: 'utf8' })
  .trim()
  .split('\n')) {
  if (path.endsWith('.test.ts')) continue;
  const text = readFileSync(join(root, path), 'utf8');
  for (const [name, pattern] of Object.entries(features)) if (pattern.test(text)) found.get(name).add(roomOf(path));
}

const before = readFileSync(page, 'utf8');
const seen = new Set();
const after = before.replace(/^\| ([^|]+) \|[^|]*\|(.*)$/gm, (row, name, rest) => {
  if (!found.has(name)) return row;
  seen.add(name);
  return `| ${name} | ${[...found.get(name)].toSorted((a, b) => (a < b ? -1 : 1)).join(', ')} |${rest}`;
});
const missing = Object.keys(features).filter((name) => !seen.has(name));
for (const name of missing) console.error(`docs/postgres-features.md has no row for ${name}`);
if (!checks) writeFileSync(page, after);
else if (after !== before)
  console.error('docs/postgres-features.md names other rooms: run node scripts/postgres-features.mjs');
console.log(`${found.size} features of PostgreSQL, ${sources.length} source folders`);
process.exitCode = missing.length === 0 && (!checks || after === before) ? 0 : 1;
