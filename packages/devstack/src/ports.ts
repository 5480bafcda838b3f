import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

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
    if (promised.has(port) || !(await isPortFree(port))) continue;
    promised.add(port);
    return port;
  }
  throw new Error(`found no free port between ${String(firstPort)} and ${String(pastLastPort - 1)}`);
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
