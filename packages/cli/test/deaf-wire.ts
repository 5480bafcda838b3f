import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** Where PostgreSQL is reached through a wire on which no notification comes back. */
export interface DeafWire {
  readonly port: number;
  close(): Promise<void>;
}

const notificationResponse = 'A'.charCodeAt(0);
/** The type of a message and its length, which counts itself (PostgreSQL, "Message Formats"). */
const headLength = 5;

/**
 * Opens a wire that passes everything on but NotificationResponse: what a client hears behind a pooler in transaction
 * mode, where the connection that listens is another's by the time something is told.
 */
export async function openDeafWire(target: number): Promise<DeafWire> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined).on('close', () => other.destroy());
    }
    client.pipe(upstream);
    let pending = Buffer.alloc(0);
    upstream.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= headLength && pending.length >= 1 + pending.readUInt32BE(1)) {
        const message = pending.subarray(0, 1 + pending.readUInt32BE(1));
        pending = pending.subarray(message.length);
        if (message[0] !== notificationResponse) client.write(message);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}
