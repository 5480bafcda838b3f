import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

/** In the process of a server: begins and ends a CPU profile when the parent says so. */
export function takeProfiles(): void {
  const session = new Session();
  process.on('message', (message: { readonly profile?: string }) => {
    if (message.profile !== undefined) void obey(session, message.profile);
  });
}

async function obey(session: Session, word: string): Promise<void> {
  if (word === 'start') {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
  } else {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    writeFileSync(word, JSON.stringify(profile));
  }
  process.send?.({ profiled: word });
}

/**
 * Runs the work while the server's process is profiled, and writes `<folder>/<name>.cpuprofile`. Returns its summary.
 */
export async function profiled(
  child: ChildProcess,
  { folder, name }: { readonly folder: string; readonly name: string },
  work: () => Promise<unknown>,
): Promise<Readonly<Record<string, string>>> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.cpuprofile`);
  await told(child, 'start');
  await work();
  await told(child, path);
  return selfShares(path);
}

async function told(child: ChildProcess, word: string): Promise<void> {
  const answered = new Promise<void>((resolve) => child.once('message', () => resolve()));
  child.send({ profile: word });
  await answered;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The 40 functions with the most self time, each with its share of the time that was not idle, in percent. */
function selfShares(path: string): Readonly<Record<string, string>> {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, 'utf8')) as Profile;
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const self = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    self.set(name, (self.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  }
  self.delete('(idle)');
  const total = [...self.values()].reduce((sum, time) => sum + time, 0);
  const first = [...self].toSorted(([, a], [, b]) => b - a).slice(0, 40);
  return Object.fromEntries(first.map(([name, time]) => [name, ((time / total) * 100).toFixed(2)]));
}

function nameOf({ functionName, url, lineNumber }: ProfileNode['callFrame']): string {
  if (url === '') return functionName;
  const file = url.replace(/^file:\/\//, '').replace(/^.*\/(?=node_modules\/|packages\/|bench\/)/, '');
  return `${functionName || '(anonymous)'} ${file}:${String(lineNumber + 1)}`;
}
