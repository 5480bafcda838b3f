import { Problem } from '@keyfare/core/problem';

/** A response body as the bytes that will leave, and their type. */
export interface SerializedBody {
  readonly payload: string | Buffer;
  readonly contentType: string | undefined;
}

/**
 * Turns what a handler returned into the bytes that are digested, signed for and sent. Streams are refused: a receipt
 * names the digest of the whole body, so a priced answer is known before its first byte leaves.
 */
export function serializeBody(value: unknown, contentType: string | undefined): SerializedBody {
  if (value === undefined || value === null) return { payload: '', contentType };
  if (typeof value === 'string') return { payload: value, contentType: contentType ?? 'text/plain; charset=utf-8' };
  if (value instanceof Uint8Array) {
    return { payload: Buffer.from(value), contentType: contentType ?? 'application/octet-stream' };
  }
  if (isStream(value)) {
    throw new Problem('service/internal', undefined, { cause: new TypeError('a priced handler returned a stream') });
  }
  return { payload: JSON.stringify(value), contentType: contentType ?? 'application/json; charset=utf-8' };
}

function isStream(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return 'pipe' in value || 'getReader' in value || 'getStream' in value;
}
