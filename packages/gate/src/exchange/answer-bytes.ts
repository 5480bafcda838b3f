import { createHash, hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { Problem } from '@keyfare/core/problem';
import type { FastifyReply } from 'fastify';

/** An answer as its caller gets it: what is sent, what a fetch client reads of it, and its type. */
export interface AnswerBytes {
  readonly status: number;
  /** What goes to the socket. */
  readonly sent: string | Buffer;
  /** SHA-256 of the body as a client reads it, content codings undone (RFC 9110 §8.4), in RFC 9530 form. */
  readonly digest: string;
  readonly contentType: string | undefined;
}

/** The longest answer that is gathered from a stream or undone from a coding, in bytes. */
const longestAnswer = 64 * 1_048_576;
/** Longer bodies are digested in parts, with turns of the event loop between them. */
const digestedAtOnce = 262_144;
const emptyDigest = contentDigest('');

type Decoder = (bytes: Buffer) => Promise<Buffer>;
type Decompress = (
  bytes: Buffer,
  options: zlib.ZlibOptions,
  done: (error: Error | null, result: Buffer) => void,
) => void;

/** Node has it from 22.15 on, and compression plugins use it then. */
const { zstdDecompress } = zlib as { readonly zstdDecompress?: Decompress };

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: (bytes) => promisify(zlib.gunzip)(bytes, { maxOutputLength: longestAnswer }),
  'x-gzip': (bytes) => promisify(zlib.gunzip)(bytes, { maxOutputLength: longestAnswer }),
  deflate: (bytes) => promisify(zlib.inflate)(bytes, { maxOutputLength: longestAnswer }),
  br: (bytes) => promisify(zlib.brotliDecompress)(bytes, { maxOutputLength: longestAnswer }),
  ...(zstdDecompress && { zstd: (bytes) => promisify(zstdDecompress)(bytes, { maxOutputLength: longestAnswer }) }),
};

/**
 * Reads what Fastify is about to send. At once for a text or a small buffer; as a promise for what a compression plugin
 * has turned into a stream, and for long bodies. Throws, or rejects with, `answer/unsendable` for what Fastify could
 * not send, and `answer/unreadable` for a content coding that a client could not undo.
 */
export function readAnswer(reply: FastifyReply, payload: unknown): AnswerBytes | Promise<AnswerBytes> {
  const status = reply.raw.statusCode;
  const type = reply.getHeader('content-type');
  const contentType = typeof type === 'string' ? type : undefined;
  // RFC 9110 §6.4.1 and §15.3.6: no content, whatever the handler returned. Fastify takes the type away from a 204.
  if (status === 204) return { status, sent: '', digest: emptyDigest, contentType: undefined };
  if (status === 205 || status === 304) return { status, sent: '', digest: emptyDigest, contentType };
  if (payload === undefined && contentType?.includes('json')) {
    throw new Problem('answer/unsendable', 'JSON has no text for what the handler returned.');
  }
  const coding = reply.getHeader('content-encoding');
  if (payload === undefined || payload === null) return { status, sent: '', digest: emptyDigest, contentType };
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) {
    // The handler may go on writing to its Buffer while the call is settled.
    const sent = typeof payload === 'string' ? payload : Buffer.from(payload);
    if (coding === undefined && sent.length <= digestedAtOnce) {
      return { status, sent, digest: contentDigest(sent), contentType };
    }
    return digestLong(sent, coding).then((digest) => ({ status, sent, digest, contentType }));
  }
  if (!isStream(payload)) throw new Problem('answer/unsendable', 'The handler returned what cannot be sent.');
  return gather(payload).then(async (sent) => ({ status, sent, digest: await digestLong(sent, coding), contentType }));
}

/** Whether a payload is a stream of Node's or of the web. */
export function isStream(payload: unknown): payload is Readable {
  return typeof payload === 'object' && payload !== null && ('pipe' in payload || 'getReader' in payload);
}

/** Whether a payload is the `Response` of the Fetch standard, which Fastify sends with its own status and headers. */
export function isResponse(payload: unknown): payload is Response {
  return (
    typeof payload === 'object' && payload !== null && Object.prototype.toString.call(payload) === '[object Response]'
  );
}

/** The body of a `Response`, whole. Rejects with `answer/unsendable` when it is too long, or was read before. */
export async function readResponse(response: Response): Promise<Buffer | null> {
  if (response.body === null) return null;
  if (response.bodyUsed) throw new Problem('answer/unsendable', 'The body of the Response was read before.');
  return gather(Readable.fromWeb(response.body));
}

/** The RFC 9530 form of a body's SHA-256. */
function contentDigest(body: string | Uint8Array): string {
  return `sha-256=:${hash('sha256', body, 'base64')}:`;
}

async function digestLong(body: string | Buffer, coding: unknown): Promise<string> {
  const bytes = await decode(typeof body === 'string' ? Buffer.from(body) : body, coding);
  const digest = createHash('sha256');
  for (let start = 0; start < bytes.length; start += digestedAtOnce) {
    digest.update(bytes.subarray(start, start + digestedAtOnce));
    if (start + digestedAtOnce < bytes.length) await new Promise((turn) => setImmediate(turn));
  }
  return `sha-256=:${digest.digest('base64')}:`;
}

async function decode(bytes: Buffer, coding: unknown): Promise<Buffer> {
  if (coding === undefined || coding === 'identity') return bytes;
  const decoder = typeof coding === 'string' ? decoders[coding.toLowerCase()] : undefined;
  try {
    if (decoder !== undefined) return await decoder(bytes);
  } catch (cause) {
    throw new Problem('answer/unreadable', `The body is not what its Content-Encoding says.`, { cause });
  }
  throw new Problem('answer/unreadable', 'The Content-Encoding of the answer is not one that can be undone here.');
}

async function gather(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array | string>) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > longestAnswer) throw new Problem('answer/unsendable', 'The answer is too long to be signed for.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, length);
}
