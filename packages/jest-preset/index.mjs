import { availableParallelism } from 'node:os';

// `npm run soak` runs what `npm test` leaves out: tests that take long.
const soaks = process.env.KEYFARE_SOAK === '1';

// `.ci/run` has 40 minutes: what everyday tests do too, only less of it, is left to `npm run soak` by itself.
const leftOut = process.env.KEYFARE_SOAK_SHORT === '1' ? ['!**/edge-property.soak.test.js'] : [];

// `npm run servers` runs suites on other servers, and the tests that need Debian's PostgreSQL: its programs are here.
const servers = (process.env.KEYFARE_SERVERS_BIN ?? '') !== '';

/**
 * Jest runs the compiled ES modules. TypeScript has already checked and emitted them, decorator metadata included, so
 * no transform is needed and a test runs exactly the code that ships: as plain Node.js modules, which the files that
 * one worker runs share (Jest's own runner loads all of them anew for each file, two seconds of them for a program).
 */
export const preset = {
  runner: ['jest-light-runner', { runtime: 'child_process' }],
  setupFilesAfterEnv: ['@keyfare/jest-preset/bounds'],
  transform: {},
  testMatch: soaks
    ? ['<rootDir>/dist/**/*.soak.test.js', ...leftOut]
    : ['<rootDir>/dist/**/*.test.js', '!**/*.soak.test.js', ...(servers ? [] : ['!**/*.servers.test.js'])],
  passWithNoTests: soaks,
  // Jest leaves one of two cores idle; tests of programs wait for them half of their time.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  reporters: ['default', '@keyfare/jest-preset/reporter'],
};

/** For the packages that use decorators. */
export const nestPreset = { ...preset, setupFiles: ['reflect-metadata'] };
