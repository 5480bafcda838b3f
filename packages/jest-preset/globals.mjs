// jest-light-runner runs tests as plain Node.js does, where the package `@jest/globals` refuses to be loaded: what it
// would give are the runner's globals.
export const { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest, test } = globalThis;
