import { connect, createServer, type Server, type Socket } from 'node:net';

/** A server with a wire in front of it that a test can cut. */
export interface TcpProxy {
  readonly port: number;
  /** Breaks every connection and takes no new one. */
  cut(): void;
  /** Passes nothing on any more, and breaks nothing: as a network that loses every packet. */
  hang(): void;
  /** Takes connections again; those that hung are broken. */
  mend(): void;
  /** Leads every connection from now on to another port, as a virtual address goes over to another machine. */
  leadTo(port: number): void;
  /**
   * Cuts the wire as soon as the server says `text`: just before the client hears it, or just after. Resolves then. With
   * `asked` only on a connection on which the client has said that since, for others say `text` in their own affairs.
   */
  cutAt(text: string, when: 'before' | 'after', asked?: string): Promise<void>;
  close(): Promise<void>;
}

interface Trap {
  readonly text: string;
  readonly when: 'before' | 'after';
  readonly asked: string | undefined;
  readonly sprung: () => void;
}

/** Opens a proxy to a TCP port of this machine. */
export async function openTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let port = targetPort;
  let isHung = false;
  let trap: Trap | undefined;
  const cut = (...spared: readonly Socket[]) => {
    isCut = true;
    for (const socket of sockets) if (!spared.includes(socket)) socket.destroy();
  };
  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    if (isHung) {
      sockets.add(client);
      client.on('error', () => undefined).on('close', () => sockets.delete(client));
      client.pause();
      return;
    }
    const target = connect(port, '127.0.0.1');
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
    let hasAsked: Trap | undefined;
    client.on('data', (chunk) => {
      if (trap?.asked !== undefined && chunk.includes(trap.asked)) hasAsked = trap;
      target.write(chunk);
    });
    target.on('data', (chunk) => {
      const isArmed = trap !== undefined && (trap.asked === undefined || hasAsked === trap);
      if (trap === undefined || !isArmed || !chunk.includes(trap.text)) {
        client.write(chunk);
        return;
      }
      const { when, sprung } = trap;
      trap = undefined;
      if (when === 'before') {
        cut();
      } else {
        // Destroyed at once, the connection could be reset before its client has read what was said: the client ends it.
        cut(client, target);
        client.end(chunk);
      }
      sprung();
    });
  });
  return {
    port: await listen(server),
    cut: () => cut(),
    hang: () => {
      isHung = true;
      for (const socket of sockets) socket.pause();
    },
    mend: () => {
      if (isHung) for (const socket of sockets) socket.destroy();
      isHung = false;
      isCut = false;
    },
    leadTo: (other) => {
      port = other;
    },
    cutAt: async (text, when, asked) =>
      new Promise((sprung) => {
        trap = { text, when, asked, sprung };
      }),
    close: async () => {
      cut();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return address.port;
}
