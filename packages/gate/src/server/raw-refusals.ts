import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Problem, type ProblemCode, toProblemDocument } from '@keyfare/core/problem';
import type { AccessLog } from './access-log.js';
import { type GatedResponse, responseOn } from './gated-response.js';

/** What Node calls the faults of a request that have a code of their own; any other is `request/malformed`. */
const codes: ReadonlyMap<string | undefined, ProblemCode> = new Map<string, ProblemCode>([
  ['HPE_HEADER_OVERFLOW', 'request/header-too-large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 'request/too-large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request/timeout'],
]);

/**
 * Refusals that went to a socket past its response, until the line of its exchange, or one of their own, names them.
 */
const refused = new WeakMap<object, Problem>();

/** The refusal that ended this socket while its request was still being read; it is named once. */
export function takeRefusal(socket: object): Problem | undefined {
  const problem = refused.get(socket);
  refused.delete(socket);
  return problem;
}

interface Unreadable extends NodeJS.ErrnoException {
  /** The last bytes that came. */
  readonly rawPacket?: Buffer;
}

/**
 * Answers requests that Node ends before Fastify sees them: a problem with CORS headers, and an access line when the
 * socket has closed.
 */
export class RawRefusals {
  constructor(
    private readonly accessLog: AccessLog,
    private readonly surroundings: {
      readonly corsHeaders: (origin: string | undefined) => Readonly<Record<string, string>>;
      /** Where the pages of problems are. */
      readonly typeBase: () => string;
    },
  ) {}

  /** Node's `clientError`: RFC 9110 §15.5.1 and §15.5.9, RFC 6585 §5. */
  unreadable(error: Unreadable, socket: Socket): void {
    const response = responseOn(socket);
    // Behind the head of an answer that is not whole yet, another one would be read as its body.
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else if (response?.req.complete === true) letFinish(response, socket);
    else if (response?.headersSent === true) socket.destroy();
    else this.#refuse(new Problem(codes.get(error.code) ?? 'request/malformed'), socket, originIn(error.rawPacket));
  }

  /** Node's `connect`, of a client that takes the server for a proxy (RFC 9110 §9.3.6). */
  tunnel(socket: Duplex, origin: string | undefined): void {
    this.#refuse(new Problem('request/malformed', 'This server is no proxy: it opens no tunnels.'), socket, origin);
  }

  #refuse(problem: Problem, socket: Duplex, origin: string | undefined): void {
    const id = randomUUID();
    refused.set(socket, problem);
    socket.once('close', () => {
      const named = takeRefusal(socket);
      if (named === undefined) return;
      this.accessLog.write({
        exchange: id,
        method: '-',
        route: 'unmatched',
        status: named.status,
        rail: 'none',
        sku: undefined,
        principal: undefined,
        problem: named.code,
        receipt: undefined,
        trace: undefined,
        aborted: false,
        durationMs: 0,
      });
    });
    // Where an exchange was opened, its line names the refusal, under an id that is not known here.
    const instance = responseOn(socket as Socket) === undefined ? `urn:uuid:${id}` : undefined;
    const { corsHeaders, typeBase } = this.surroundings;
    socket.end(message(problem, { cors: corsHeaders(origin), typeBase: typeBase(), instance }));
  }
}

/** Only what came behind a whole request is bad: its answer, which may be paid for, goes out, and nothing after it. */
function letFinish(response: GatedResponse, socket: Socket): void {
  response.shouldKeepAlive = false;
  response.once('finish', () => socket.destroySoon());
}

interface Circumstances {
  readonly cors: Readonly<Record<string, string>>;
  readonly typeBase: string;
  readonly instance: string | undefined;
}

function message(problem: Problem, { cors, typeBase, instance }: Circumstances): string {
  const { status } = problem;
  const document = toProblemDocument(problem, {
    typeBase,
    ...(instance === undefined ? {} : { instance }),
  });
  const body = JSON.stringify(document);
  const headers = {
    ...cors,
    'Cache-Control': 'no-store',
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`;
}

/** The page that asks, if its header was in the last bytes that came: of such a request nothing else is known. */
function originIn(packet: Buffer | undefined): string | undefined {
  return /\r\norigin: *(\S+) *\r\n/i.exec(packet?.toString('latin1') ?? '')?.[1];
}
