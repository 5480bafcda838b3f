import { STATUS_CODES } from 'node:http';
import type { HttpException } from '@nestjs/common';

/** Members that RFC 9457 gives a meaning to, and those that Nest writes itself. */
const reserved = new Set(['type', 'title', 'status', 'detail', 'instance', 'statusCode', 'message']);

/**
 * What a handler, guard or pipe of the host's said with an `HttpException`, as a problem without a type of ours (RFC
 * 9457 §4.2.1): its status, its message, and the members of its response. All of them are public in Nest as well. Null
 * for a status that is no error, which no problem can have.
 */
export function toHostProblem(exception: HttpException, instance: string): object | null {
  const status = exception.getStatus();
  if (status < 400 || status > 599) return null;
  const response: unknown = exception.getResponse();
  const members = typeof response === 'object' && response !== null ? response : { message: response };
  const message: unknown = 'message' in members ? members.message : undefined;
  const extensions = Object.entries(members).filter(
    ([name, value]) => !reserved.has(name) && !(name === 'error' && value === STATUS_CODES[status]),
  );
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    ...(typeof message === 'string' && message !== '' ? { detail: message } : {}),
    ...(Array.isArray(message) ? { errors: message } : {}),
    instance,
    ...Object.fromEntries(extensions),
  };
}

/** Whether the error is Fastify's own, which Nest wraps: a body that it cannot read, a header that it does not take. */
export function isServerError(error: unknown): error is { readonly statusCode: number } {
  return error instanceof Error && error.name === 'FastifyError' && 'statusCode' in error;
}
