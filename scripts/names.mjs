// `node scripts/names.mjs`: what a runbook names in backticks exists in the code: metrics, problem codes, settings, tables,
// files, routes, log lines and the words that the programs answer with. Build packages/core first.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path) => readFileSync(join(root, path), 'utf8');
const { catalogue } = await import('../packages/core/dist/src/problem/index.js');

const sources = execFileSync(
  'git',
  ['ls-files', '-co', '--exclude-standard', 'apps/*/src/*', 'packages/*/src/*', 'docker'],
  {
    cwd: root,
    encoding: 'utf8',
  },
)
  .split('\n')
  .filter((path) => path !== '' && !path.includes('.test.') && existsSync(join(root, path)));
const texts = sources.map(read);
const code = texts.join('\n');
const settings = new Set(read('.env.example').match(/^[A-Z][A-Z0-9_]+(?==)/gm));
for (const name of ['NODE_ENV', 'KEYFARE_HOME']) settings.add(name);
const rooms = new Set(Object.keys(catalogue).map((name) => name.split('/')[0]));
const words = new Set(code.match(/[a-z]+(?:-[a-z]+)+/g));

/** `GET /receipts/:id` and so on, from the decorators of the controllers, and of the routes that the gate itself has. */
const routes = new Set(
  texts.flatMap((text) => {
    const plain = [...text.matchAll(/fastify\.(get|post)(?:<[^(]*>)?\(['`](?:\$\{\w+\})?([^'`]+)['`]/g)];
    const [, base] = /@(?:Controller|Admin)\(['"`]?([^'"`)]*)/.exec(text) ?? [];
    if (base === undefined) return plain.map(([, method, path]) => `${method.toUpperCase()} ${shape(path)}`);
    return [...text.matchAll(/@(Get|Post|Patch|Delete)\(([^)]*)\)/g)].flatMap(([, method, rest]) =>
      (rest.match(/[\w:./-]+/g) ?? ['']).map((path) => `${method.toUpperCase()} ${shape(`/${base}/${path}`)}`),
    );
  }),
);

/** A path with each parameter as `*`, without a query. */
function shape(path) {
  const parts = path
    .split('?')[0]
    .split('/')
    .filter((part) => part !== '');
  return `/${parts.map((part) => (/^[:<$]/.test(part) ? '*' : part)).join('/')}`;
}

const networkSuffix = /_(BASE|BASE_SEPOLIA|[A-Z]+_TESTNET)$/;
const hasSetting = (name) =>
  [name, name.replace(/_FILE$/, ''), name.replace(networkSuffix, '')].some((each) => settings.has(each));

/** What kind of name a text in backticks is, and whether there is such a thing. In this order: the first that fits judges. */
const kinds = [
  { what: 'file', fits: /^[\w.-]+(\/[\w.-]+)+\.(ts|md|mjs|ya?ml|sh)$/, exists: (text) => existsSync(join(root, text)) },
  { what: 'metric or role', fits: /^keyfare_[a-z_]+$/, exists: (text) => new RegExp(`\\b${text}\\b`).test(code) },
  {
    what: 'table',
    fits: /^(keyfare|billing)\.[a-z_]+$/,
    exists: (text) =>
      new RegExp(`\\b(table|view)( if not exists)? ${text}\\b`).test(code) || text.endsWith('.migration'),
  },
  {
    what: 'problem',
    fits: { test: (text) => /^[a-z]+\/[a-z-]+$/.test(text) && rooms.has(text.split('/')[0]) },
    exists: (text) => Object.hasOwn(catalogue, text),
  },
  { what: 'setting', fits: /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/, exists: hasSetting },
  {
    what: 'route',
    fits: /^(GET|POST|PATCH|DELETE) \S+$/,
    exists: (text) => {
      const [method, target] = text.split(' ');
      return routes.has(`${method} ${shape(target.replace(/^\$(API|BILLING)/, ''))}`);
    },
  },
  { what: 'word', fits: /^[a-z]+(-[a-z]+)+$/, exists: (text) => words.has(text) },
];

/** What the page says that the log says: the text without what differs from line to line. */
function* logLines(text) {
  for (const [, line] of text.matchAll(/\blog\s+says:?\s+`([^`]+)`/g)) yield line;
}

const pages = readdirSync(join(root, 'docs/runbooks')).filter((name) => name.endsWith('.md'));
let count = 0;
const missing = pages.flatMap((page) => {
  const text = read(`docs/runbooks/${page}`).replace(/^ *```.*?^ *```$/gms, '');
  const names = [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name.replace(/\s+/g, ' '));
  count += names.length;
  const lost = names.flatMap((name) => {
    const kind = kinds.find(({ fits }) => fits.test(name));
    return kind === undefined || kind.exists(name) ? [] : [`no such ${kind.what}: ${name}`];
  });
  const unsaid = [...logLines(text)]
    .filter((line) => !line.split(/0x…|…|N /).every((part) => code.includes(part.replace(/\s+/g, ' ').trim())))
    .map((line) => `no such log line: ${line}`);
  return [...lost, ...unsaid].map((fault) => `docs/runbooks/${page}: ${fault}`);
});

for (const fault of missing) console.error(fault);
console.log(`${pages.length} runbooks, ${count} names, ${missing.length} of nothing`);
process.exitCode = missing.length === 0 ? 0 : 1;
