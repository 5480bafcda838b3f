import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ArrivalFigures, ArrivalSettings } from './open-loop.js';
import { start } from './started.js';

/** `atRate` in a process of its own, so that what one load reads does not delay the clock of another. */
export async function atRateApart(settings: ArrivalSettings): Promise<ArrivalFigures> {
  const path = fileURLToPath(new URL('arrival-worker.js', import.meta.url));
  const [child, stop] = await start(
    async () => fork(path, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
    async (started) => void started.kill(),
  );
  try {
    return await new Promise<ArrivalFigures>((resolve, reject) => {
      child.once('message', (figures) => resolve(figures as ArrivalFigures));
      child.once('exit', (code) => reject(new Error(`a load ended with ${String(code)}`)));
      child.send(settings);
    });
  } finally {
    await stop();
  }
}
