import { availableParallelism } from 'node:os';

// `npm run soak` runs what `npm test` leaves out: tests that take long.
const soaks = process.env.KEYFARE_SOAK === '1';

// `.ci/run` has 40 minutes: what everyday tests do too, only less of it, is left to `npm run soak` by itself.
const leftOut = process.env.KEYFARE_SOAK_SHORT === '1' ? ['!**/edge-property.soak.test.js'] : [];

// `npm run servers` runs suites on other servers, and the tests that need Debian's PostgreSQL: its programs are here.
const servers = (process.env.KEYFARE_SERVERS_BIN ?? '') !== '';

/**
 * Jest runs the compiled ES modules. TypeScript has already checked and emitted them, decorator metadata included, so
 * no transform is needed and a test runs exactly the code that ships.
 */
export const preset = {
  testEnvironment: 'node',
  transform: {},
  testMatch: soaks
    ? ['<rootDir>/dist/**/*.soak.test.js', ...leftOut]
    : ['<rootDir>/dist/**/*.test.js', '!**/*.soak.test.js', ...(servers ? [] : ['!**/*.servers.test.js'])],
  passWithNoTests: soaks,
  // Jest leaves one of two cores idle; tests of programs mostly wait for them.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // A bound for what hangs, not a measure: starting a program takes seconds on a busy machine.
  testTimeout: 30_000,
  reporters: ['default', '@keyfare/jest-preset/reporter'],
  coverageProvider: 'v8',
  collectCoverageFrom: ['dist/**/*.js', '!dist/**/*.test.js', '!dist/src/main.js'],
};

/** For the packages that use decorators. */
export const nestPreset = { ...preset, setupFiles: ['reflect-metadata'] };
