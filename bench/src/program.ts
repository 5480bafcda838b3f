import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Stop, start } from './started.js';

/** Starts a program of ours as in the image, in a process of its own, and waits until an address of it answers. */
export async function startProgram(
  file: URL,
  env: Readonly<Record<string, string>>,
  readyUrl: string,
): Promise<[ChildProcess, Stop]> {
  const [child, stop] = await start(
    async () =>
      fork(fileURLToPath(file), {
        execArgv: ['--max-semi-space-size=64'],
        env: { ...process.env, ...env },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      }),
    async (started) => {
      if (started.exitCode !== null || started.signalCode !== null) return;
      started.kill('SIGTERM');
      await once(started, 'exit');
    },
  );
  while (child.exitCode === null) {
    const response = await fetch(readyUrl).catch(() => null);
    if (response?.ok === true) return [child, stop];
    await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error(`a program ended: ${file.pathname}`);
}
