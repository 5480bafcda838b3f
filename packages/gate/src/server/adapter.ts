import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Problem, toProblemDocument } from '@keyfare/core/problem';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { type FastifyBaseLogger, type FastifyInstance, LogController, type onRequestHookHandler } from 'fastify';
import type { Logger } from 'pino';
import { responsesOf } from './gated-response.js';
import { routableTarget } from './request-target.js';

export interface AdapterSettings {
  readonly logger: Logger;
  readonly bodyLimitBytes?: number;
}

/** A Fastify adapter with a server's manners: bounded bodies and headers, problems for what never becomes a request. */
export function createAdapter({ logger, bodyLimitBytes = 1_048_576 }: AdapterSettings): FastifyAdapter {
  const server = { isClosing: false };
  const adapter = new FastifyAdapter({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    http: { ServerResponse: responsesOf(server) },
    rewriteUrl: (request: { readonly url?: string | undefined }) => routableTarget(request.url ?? '/'),
    // A child logger for each request costs more than our one line of it, which names the exchange.
    childLoggerFactory: (parent: FastifyBaseLogger) => parent,
    requestTimeout: 60_000,
    keepAliveTimeout: 72_000,
    // Calls that come in on open connections while the server closes are answered like others, and their connections
    // then closed: see `GatedResponse`.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => refuseUnreadable(error, socket),
  });
  adapter.getInstance<FastifyInstance>().addHook('preClose', (done) => {
    server.isClosing = true;
    done();
  });
  adapter.getInstance<FastifyInstance>().addHook('onRequest', forgiveEmptyBody);
  return adapter;
}

/** Clients that always name a type name one for no body, too: it is as good as none, and no JSON that cannot be read. */
const forgiveEmptyBody: onRequestHookHandler = ({ headers }, _reply, done) => {
  const length = headers['content-length'];
  const isEmpty = headers['transfer-encoding'] === undefined && (length === undefined || length === '0');
  if (isEmpty) delete headers['content-type'];
  done();
};

/** Node ends a request that it cannot read before Fastify sees it (RFC 9110 §15.5.1, RFC 6585 §5). */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'request/header-too-large' : 'request/malformed';
  const problem = new Problem(code);
  const body = JSON.stringify(toProblemDocument(problem, { typeBase: '/problems/' }));
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\n` +
      `Content-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
