import { connect, createServer, type Socket } from 'node:net';

/** Where on the way to the database a process dies. */
export interface SqlPoint {
  /** Texts that the process sends on one connection, one after the other: names of statements, or parts of them. */
  readonly texts: readonly string[];
  /** Before the database gets the last of them, or when it has done it and the process has not heard. */
  readonly when: 'before' | 'after';
}

/** A wire to PostgreSQL on which a test waits for a statement. */
export interface KillWire {
  readonly port: number;
  /** Calls `kill` at that point, once, and passes nothing on from then on. */
  arm(point: SqlPoint, kill: () => void): void;
  close(): Promise<void>;
}

/** The message that ends the answer to a statement: PostgreSQL, chapter 55.7, ReadyForQuery. */
const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5]);

/** Opens a wire to a PostgreSQL server of this machine. */
export async function openKillWire(targetPort: number): Promise<KillWire> {
  const sockets = new Set<Socket>();
  let trap: { readonly point: SqlPoint; readonly kill: () => void } | undefined;
  let isDead = false;
  const die = (): void => {
    const { kill } = trap ?? {};
    if (isDead) return;
    isDead = true;
    kill?.();
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    if (isDead) {
      client.destroy();
      return;
    }
    const target = connect(targetPort, '127.0.0.1');
    const seen = new Seen();
    let isAtEnd = false;
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (isDead) return;
      if (trap !== undefined && !isAtEnd && seen.all(chunk, trap.point.texts)) {
        if (trap.point.when === 'before') {
          die();
          return;
        }
        isAtEnd = true;
      }
      target.write(chunk);
    });
    target.on('data', (chunk) => {
      if (isAtEnd && chunk.includes(readyForQuery)) die();
      else if (!isAtEnd) client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the wire has no port');
  return {
    port: address.port,
    arm: (point, kill) => {
      trap = { point, kill };
    },
    close: async () => {
      isDead = true;
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

/** How far one connection has come in a list of texts. */
class Seen {
  #next = 0;

  all(chunk: Buffer, texts: readonly string[]): boolean {
    const wanted = texts[this.#next];
    if (wanted !== undefined && chunk.includes(wanted)) this.#next += 1;
    return this.#next === texts.length;
  }
}
