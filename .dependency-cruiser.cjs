/** Which room may open which door (docs/decisions/0002). TypeScript 7 has no compiler API, so swc reads the sources. */
const tests = '(\\.test\\.ts$|/test/|^packages/(testing|fixtures|devstack|seed)/|^bench/)';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core-is-pure',
      comment: 'core computes: no framework, no database, no node builtin. Its tests may use oracles.',
      severity: 'error',
      from: { path: '^packages/core/src', pathNot: tests },
      to: { pathNot: ['^packages/core/src', 'node_modules/(@noble/[^/]+|ox|zod|@x402/core)/'] },
    },
    { name: 'packages-do-not-know-apps', severity: 'error', from: { path: '^packages/' }, to: { path: '^apps/' } },
    {
      name: 'apps-do-not-know-each-other',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'plumbing-leans-on-core-only',
      severity: 'error',
      from: { path: '^packages/(evm|db)/src', pathNot: tests },
      to: { path: '^packages/', pathNot: ['^packages/core/', '^packages/$1/'] },
    },
    {
      name: 'only-the-corridor-opens-doors',
      comment:
        'Rooms of the gate do not import each other; exchange/ (a request), replica/ (a process) and the files at the root of src join them.',
      severity: 'error',
      from: { path: '^packages/gate/src/([^/]+)/', pathNot: ['^packages/gate/src/(exchange|replica)/', tests] },
      to: { path: '^packages/gate/src/[^/]+/', pathNot: '^packages/gate/src/$1/' },
    },
    {
      name: 'billing-rooms-do-not-import-rooms',
      comment: 'Rooms of billing meet in pipeline/, runtime/ and reports/ only.',
      severity: 'error',
      from: { path: '^apps/billing/src/([^/]+)/', pathNot: ['^apps/billing/src/(pipeline|runtime|reports)/', tests] },
      to: { path: '^apps/billing/src/[^/]+/', pathNot: '^apps/billing/src/$1/' },
    },
    {
      name: 'only-evm-and-core-speak-viem',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: ['^packages/(core|evm|client)/', tests] },
      to: { path: 'node_modules/(viem|ox)/' },
    },
    {
      name: 'only-db-speaks-to-postgres',
      comment: 'Rooms use TypeORM or the group commit; nothing but packages/db imports the driver.',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: ['^packages/db/', tests] },
      to: { path: 'node_modules/pg/' },
    },
    {
      name: 'source-does-not-know-tests',
      severity: 'error',
      from: { path: '^(apps|packages)/[^/]+/src/', pathNot: tests },
      to: { path: tests },
    },
    {
      name: 'no-dev-dependency-in-shipped-code',
      comment: 'Of packages/docs the built site is shipped, and not what builds it.',
      severity: 'error',
      from: { path: '^(apps|packages)/[^/]+/src', pathNot: [tests, '^packages/docs/'] },
      to: {
        dependencyTypes: ['npm-dev'],
        pathNot: 'node_modules/(@nestjs|@opentelemetry/api|rxjs|fastify|reflect-metadata)/',
      },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: '(node_modules|/dist/)' },
    // swc is asked for TypeScript without JSX; of the console oxlint finds cycles, and its package names what it may import.
    exclude: { path: '^apps/console/(src|vite)' },
    includeOnly: { path: '^(apps|packages|bench|node_modules)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['node', 'import', 'default'] },
  },
};
