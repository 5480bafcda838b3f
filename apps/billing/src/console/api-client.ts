import { isProblemCode, Problem } from '@keyfare/core/problem';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
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

  /**
   * An answer of the schema; what the API refuses is thrown as its problem. 503 `service/overloaded` where what answers
   * is not the API.
   */
  async json<T>(schema: z.ZodType<T>, request: ApiRequest): Promise<T> {
    const { status, headers, bytes } = await this.ask(request);
    const body = parsed(bytes);
    if (status < 300) {
      const { data } = schema.safeParse(body);
      if (data === undefined) throw notTheApi(status);
      return data;
    }
    const { code, detail, errors } = (body ?? {}) as { code?: unknown; detail?: string; errors?: readonly string[] };
    if (typeof code !== 'string' || !isProblemCode(code)) throw notTheApi(status);
    const retryAfter = headers.get('retry-after');
    throw new Problem(code, detail, {
      ...(errors === undefined ? {} : { extensions: { errors } }),
      ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
    });
  }
}

/** Undefined for what is no JSON. */
function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Something else answers at the API's address. */
function notTheApi(status: number): Problem {
  return new Problem('service/overloaded', `What answers at the API's address (${status}) is not the API.`, {
    headers: { 'retry-after': '5' },
  });
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
