import { createServer, type Socket } from 'node:net';

/** A server that accepts connections, reads what is written, and says nothing. */
export interface Mute {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Opens one on a port of its own. */
export async function openMute(): Promise<Mute> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.resume();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}
