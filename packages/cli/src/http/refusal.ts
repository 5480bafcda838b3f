import { type ExitCode, exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';

/** Statuses that say: not there, or not in that state. */
const conflicts: ReadonlySet<number> = new Set([404, 409, 410, 412, 428]);

/** What a refusal of the server ends the program with. */
function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCodes.refused;
  if (conflicts.has(status)) return exitCodes.conflict;
  if (status === 429 || status === 502 || status === 503 || status === 504) return exitCodes.unreachable;
  return status >= 400 && status < 500 ? exitCodes.usage : exitCodes.finding;
}

/**
 * The server's refusal: its problem document (RFC 9457) as title, detail, single errors and the page that explains it.
 */
export async function problemFailure(response: Response): Promise<Failure> {
  const { status } = response;
  if (status >= 300 && status < 400) {
    return new Failure(
      exitCodes.usage,
      `the URL leads elsewhere: set ${response.headers.get('location') ?? 'another one'}`,
    );
  }
  const body: unknown = await response.json().catch(() => undefined);
  const document = (typeof body === 'object' && body !== null ? body : {}) as Readonly<Record<string, unknown>>;
  const { title, detail, type, code, errors } = document;
  const head = typeof title === 'string' ? title : `the server answered ${status}`;
  const lines = [
    ...(typeof detail === 'string' && detail !== head && detail !== `${head}.` ? [detail] : []),
    ...(Array.isArray(errors) ? errors.map((error) => `- ${String(error)}`) : []),
    ...(typeof type === 'string' && type !== 'about:blank' ? [`see ${pageOf(type, response.url)}`] : []),
  ];
  return new Failure(exitCodeOf(status), typeof code === 'string' ? `${head} (${code})` : head, {
    lines,
    document: { ...document, status },
  });
}

/** The page of a problem's type: it may be relative to where it came from (RFC 9457 §3.1.1). */
function pageOf(type: string, base: string): string {
  return URL.canParse(type, base) ? new URL(type, base).href : type;
}

/** The caller's patience is at its end: nothing is sent again. */
export class TimedOut extends Failure {}

/** Nobody answered. The words hold the origin and the system's code, and no secret. */
export function unreachableFailure(
  error: unknown,
  { name, url, timeoutMs }: { readonly name: string; readonly url: URL; readonly timeoutMs: number },
): Failure {
  const lines = [`Is it running, and is ${name} right?`];
  return isTimeout(error)
    ? new TimedOut(exitCodes.unreachable, `${url.origin} did not answer in ${timeoutMs} ms`, { lines })
    : new Failure(exitCodes.unreachable, `${url.origin} cannot be reached (${codeOf(error)})`, { lines });
}

function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'TimeoutError';
}

/** The system's code, from wherever in the chain of causes it stands. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'no reason given';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if ('errors' in error && Array.isArray(error.errors) && error.errors.length > 0) return codeOf(error.errors[0]);
  if ('cause' in error && error.cause !== undefined) return codeOf(error.cause);
  return 'message' in error && typeof error.message === 'string' ? error.message : 'no reason given';
}
