import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Ground } from './gate-under-test.js';

/** A gate in a process of its own; one that is killed counts as dead after so long. */
export async function spawnGate(
  ground: Ground,
  deadAfterMs = 3_000,
): Promise<{ readonly url: string; kill(): Promise<void> }> {
  const program = fileURLToPath(new URL('./gate-process.js', import.meta.url));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, ...ground.env, REPLICA_TTL_MS: String(deadAfterMs) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: first.toString().trim(),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
