import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Ed25519Jwk } from '@keyfare/core/receipt';

/** The API's key set over HTTP. */
export interface KeyServer {
  readonly url: string;
  /** How often it was asked. */
  requests: number;
  close(): Promise<void>;
}

/** Serves whatever the keys are at the moment of the question. */
export async function serveKeys(keys: readonly Ed25519Jwk[]): Promise<KeyServer> {
  const server: Server = createServer((_request, response) => {
    served.requests += 1;
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const served: KeyServer = {
    url: `http://127.0.0.1:${port}/.well-known/jwks.json`,
    requests: 0,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return served;
}
