import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** A client that is answered has read the answer long before, and its buffers are far smaller. */
const [longestMs, mostBytes] = [2_000, 16 * 1_048_576];

/**
 * For a request that was answered before its body was read, on a connection that ends with the answer. Node would close
 * it at once, and the kernel resets a connection whose bytes nobody reads: a client that is still writing, as a proxy
 * does, finds the reset in the place of its 402 or 413. So only our side ends; what comes is dropped until the client
 * ends its own, for a bounded time and amount (RFC 9112 §9.6).
 */
export function lingerAtEnd(socket: Socket, request: Pick<IncomingMessage, 'complete'>): void {
  socket.destroySoon = () => {
    Reflect.deleteProperty(socket, 'destroySoon');
    if (request.complete) socket.destroySoon();
    else linger(socket);
  };
}

function linger(socket: Socket): void {
  let dropped = 0;
  const drop = (chunk: Buffer): void => {
    dropped += chunk.length;
    if (dropped > mostBytes) socket.destroy();
  };
  // Takes the bytes from Node's parser: what follows the body is no request any more.
  socket.on('data', drop);
  for (const other of socket.listeners('data')) if (other !== drop) socket.off('data', other as () => void);
  socket.resume();
  socket.end();
  const timer = setTimeout(() => socket.destroy(), longestMs);
  socket.once('end', () => socket.destroy());
  socket.once('close', () => clearTimeout(timer));
}
