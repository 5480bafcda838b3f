import { Problem, type ProblemCode } from '@keyfare/core/problem';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';

/** What goes to the API for a browser. */
export interface ApiRequest {
  readonly method: string;
  /** From the `/` on, with the query. */
  readonly path: string;
  /** Of the operator; null where somebody signs in. */
  readonly token: string | null;
  /** The address of who asks, for the API's own bounds. */
  readonly address: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

const timeoutMs = 15_000;
/** Lists are pages, and the OpenAPI document is some hundred kB. */
const maxBytes = 8 * 1_048_576;

/** Speaks to the API for the console: to one host, without following it anywhere, within bounds of time and size. */
@Injectable()
export class ApiClient {
  constructor(@Inject(BillingConfig) private readonly config: Pick<BillingConfig, 'apiUrl'>) {}

  /** 503 `service/overloaded` while the API does not answer. */
  async ask({ method, path, token, address, headers = {}, body }: ApiRequest): Promise<ApiAnswer> {
    try {
      const response = await fetch(`${this.config.apiUrl}${path}`, {
        method,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          ...headers,
          'x-forwarded-for': address,
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, headers: response.headers, bytes: await readWhole(response) };
    } catch (error) {
      throw new Problem('service/overloaded', 'The API does not answer billing.', {
        cause: error,
        headers: { 'retry-after': '5' },
      });
    }
  }

  /** The JSON of an answer; what the API refuses is thrown as its problem. */
  async json<T>(request: ApiRequest): Promise<T> {
    const { status, headers, bytes } = await this.ask(request);
    const body = JSON.parse(bytes.toString('utf8') || 'null') as T;
    if (status < 400) return body;
    const { code, detail, errors } = body as { code: ProblemCode; detail?: string; errors?: readonly string[] };
    const retryAfter = headers.get('retry-after');
    throw new Problem(code, detail, {
      ...(errors === undefined ? {} : { extensions: { errors } }),
      ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
    });
  }
}

async function readWhole({ body }: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body ?? []) {
    length += part.byteLength;
    if (length > maxBytes) throw new RangeError(`an answer of the API is larger than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
