import { randomInt } from 'node:crypto';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Somebody else listens at a port that we were told to use. Nothing was started, nobody was spoken to. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';

  constructor(readonly port: number) {
    super(`port ${String(port)} of 127.0.0.1 is taken by another program`);
  }
}

/**
 * Below every system's range for outgoing connections (32768 and up on Linux, 49152 elsewhere): a port chosen here
 * cannot become the source port of some connection before its server starts.
 */
const firstPort = 20_000;
const pastLastPort = 32_000;

/** Chosen by this process already, for servers that may not have started yet. */
const promised = new Set<number>();

/** Where the processes of one user tell each other what they have chosen: a file without content for each port. */
const claims = join(tmpdir(), `keyfare-ports-${String(process.getuid?.() ?? 0)}`);
/** Long after a server that was given the port has started, or never will. */
const claimedForMs = 120_000;

/**
 * A port of 127.0.0.1 that is free now: `preferred` when it is, else a random one. Between the choice and the server's
 * start somebody may still take it: whoever starts the server must treat that as `PortTaken`, never as an answer.
 */
export async function choosePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isPortFree(preferred))) {
    promised.add(preferred);
    return preferred;
  }
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(firstPort, pastLastPort);
    if (promised.has(port) || !claim(port) || !(await isPortFree(port))) continue;
    promised.add(port);
    return port;
  }
  throw new Error(`found no free port between ${String(firstPort)} and ${String(pastLastPort - 1)}`);
}

/** Whether no other process chose the port a moment ago; then it is this one's. */
function claim(port: number): boolean {
  const path = join(claims, String(port));
  try {
    mkdirSync(claims, { recursive: true, mode: 0o700 });
    writeFileSync(path, '', { flag: 'wx' });
  } catch (error) {
    // Without a folder to write to, ports are as good as they were: somebody else's is a `PortTaken`.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return true;
    const claimedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - claimedAtMs < claimedForMs) return false;
    writeFileSync(path, '');
  }
  return true;
}

/**
 * Whether a server could listen at this port of 127.0.0.1 now. Also looks at the wildcard, which macOS lets overlap.
 */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen('127.0.0.1', port)) && (await canListen('0.0.0.0', port));
}

async function canListen(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
