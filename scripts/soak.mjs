// `npm run soak`: the tests that take too long for `npm test`, those in files named `*.soak.test.ts`. Ends with one line
// `N passed, N failed` as `npm test` does.
process.env.KEYFARE_SOAK = '1';
await import('./test.mjs');
