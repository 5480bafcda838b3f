import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const results = fileURLToPath(new URL('../../jest-results/', import.meta.url));

/** Leaves each workspace's counts where `npm test` adds them up into its closing line. */
export default class CountReporter {
  constructor(globalConfig) {
    this.rootDir = globalConfig.rootDir;
  }

  onRunComplete(_contexts, run) {
    mkdirSync(results, { recursive: true });
    const counts = {
      passed: run.numPassedTests,
      failed: run.numFailedTests + run.numRuntimeErrorTestSuites,
      skipped: run.numPendingTests + run.numTodoTests,
      failures: run.testResults.flatMap(({ testFilePath, testExecError, testResults }) => [
        ...(testExecError == null ? [] : [`${relative(this.rootDir, testFilePath)}: ${testExecError.message}`]),
        ...testResults
          .filter(({ status }) => status === 'failed')
          .map(
            ({ fullName, failureMessages }) =>
              `${relative(this.rootDir, testFilePath)}: ${fullName}\n${failureMessages.join('\n')}`,
          ),
      ]),
    };
    writeFileSync(
      join(results, `${process.env.KEYFARE_COUNT_AS ?? ''}${basename(this.rootDir)}.json`),
      `${JSON.stringify(counts)}\n`,
    );
  }
}
