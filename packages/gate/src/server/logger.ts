import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';

/** Names under which a secret could come into a line that we did not write ourselves; their values never leave. */
const secrets = [
  'authorization',
  'x-api-key',
  'payment-signature',
  'x-payment',
  'cookie',
  'password',
  'privateKey',
  'secret',
  'token',
];
const redact = {
  paths: secrets.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`, `*.*.*["${name}"]`]),
  censor: '[redacted]',
};

/**
 * A JSON logger on standard output. Our own lines hold no header and no body, so they need no redaction, which would
 * cost each call more than its line; the lines of others go through `NestLogger`, which redacts.
 */
export function createLogger(
  { name, level }: { name: string; level: LevelWithSilent },
  destination?: DestinationStream,
): Logger {
  const options = {
    name,
    level,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(options, destination ?? standardOutput());
}

/** Bytes of lines that wait for who reads standard output; what comes on top of them is dropped and counted. */
const longestBacklog = 1_048_576;
/** So long a process that ends waits for who reads its last lines. */
const lastLinesMs = 1_000;
let dropped = 0;

/** Lines that were dropped since the process began, because nobody read them in time. */
export function droppedLines(): number {
  return dropped;
}

/** Written in the background: a full pipe stalls no call and no exit. It costs lines, which are counted. */
function standardOutput(): DestinationStream {
  // Node makes a pipe non-blocking when it opens the stream for it. A write that blocks would hold a thread at the
  // exit.
  process.stdout.on('error', () => undefined);
  let endsAtMs = Number.POSITIVE_INFINITY;
  const stream = pino.destination({
    dest: 1,
    sync: false,
    maxLength: longestBacklog,
    retryEAGAIN: () => performance.now() < endsAtMs,
  });
  stream.on('drop', (data: string | Buffer) => {
    for (const character of data.toString()) if (character === '\n') dropped += 1;
  });
  // Who read has gone away: the lines are for nobody, and the calls go on.
  stream.on('error', () => undefined);
  // Before the destination's own handler, which writes what is left however long that takes.
  process.prependListener('exit', () => {
    endsAtMs = performance.now() + lastLinesMs;
    try {
      stream.flushSync();
    } catch {
      // Nobody read the last lines in time.
    }
    stream.destroy();
  });
  return { write: (text: string) => void stream.write(text) };
}

/** The lines of Nest and of errors, through the same logger, redacted. */
export class NestLogger implements LoggerService {
  private readonly logger: Logger;

  constructor(logger: Logger) {
    this.logger = logger.child({}, { redact });
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.#write('info', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.#write('warn', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.#write('error', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.#write('fatal', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.#write('trace', message, rest);
  }

  /** Nest puts the context last, and before it a stack where there is one. */
  #write(
    level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace',
    message: unknown,
    rest: readonly unknown[],
  ): void {
    const context = rest.at(-1);
    const stack = rest.length > 1 ? rest[0] : undefined;
    const fields = { context, ...(typeof stack === 'string' ? { stack } : {}) };
    if (message instanceof Error) this.logger[level]({ ...fields, err: message }, message.message);
    else if (typeof message === 'object' && message !== null) this.logger[level]({ ...fields, ...message });
    else this.logger[level](fields, String(message));
  }
}
