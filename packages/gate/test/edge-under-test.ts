import { catalogue, type ProblemCode } from '@keyfare/core/problem';
import { expect } from '@keyfare/jest-preset/globals';
import type { GateUnderTest } from './gate-under-test.js';
import { settled } from './requests.js';
import { rawBytes } from './way-out-under-test.js';

/** The page that asks in these tests. */
export const page = 'https://page.test';

/** An answer as it came on the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** The head of a request of that page's, after which the connection closes. */
export function requestHead(line: string, headers: readonly string[] = []): string {
  const all = ['Host: api.test', `Origin: ${page}`, 'Connection: close', ...headers];
  return `${line} HTTP/1.1\r\n${all.map((header) => `${header}\r\n`).join('')}\r\n`;
}

/** Sends these bytes and reads one answer. */
export async function exchange(gate: { url: string }, bytes: string): Promise<RawAnswer> {
  const { head, body } = await rawBytes(gate, bytes);
  const [first = '', ...lines] = head.trimEnd().split('\r\n');
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]), headers, body: body.toString() };
}

/** Asserts a refusal that the page can read: a problem of this code, with CORS headers. */
export function expectReadableProblem({ status, headers, body }: RawAnswer, code: ProblemCode): void {
  const known = catalogue[code];
  expect([status, headers.get('content-type')?.split(';')[0]]).toEqual([known.status, 'application/problem+json']);
  expect(JSON.parse(body)).toMatchObject({ code, status, title: known.title, type: `/problems/${code}` });
  expect(headers.get('access-control-allow-origin')).toMatch(/^(?:\*|https:\/\/page\.test)$/);
  expect(headers.get('access-control-expose-headers')).toContain('PAYMENT-REQUIRED');
}

/** The access lines written since; the first of them is waited for. */
export async function accessLines(gate: GateUnderTest, since: number): Promise<readonly Record<string, unknown>[]> {
  const lines = () =>
    gate.lines
      .slice(since)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === 'exchange');
  await settled(async () => lines().length > 0, true);
  return lines();
}
