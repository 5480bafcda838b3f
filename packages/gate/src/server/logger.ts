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
/** Who has read nothing for so long does without the last lines of a process that ends. */
const stuckAfterMs = 1_000;
let dropped = 0;

/** Lines that were dropped since the process began, because nobody read them in time. */
export function droppedLines(): number {
  return dropped;
}

/** Written in the background: a full pipe stalls no call and no exit. It costs lines, which are counted. */
function standardOutput(): DestinationStream {
  let waitingSinceMs: number | undefined;
  const isStuck = (): boolean => waitingSinceMs !== undefined && performance.now() - waitingSinceMs > stuckAfterMs;
  // Before the destination's own handler, which writes what is left, however long that takes.
  process.on('exit', () => {
    if (isStuck()) stream.destroy();
  });
  const stream = pino.destination({ dest: 1, sync: false, maxLength: longestBacklog });
  stream.on('drop', (data: string | Buffer) => {
    for (const character of data.toString()) if (character === '\n') dropped += 1;
  });
  stream.on('write', () => {
    waitingSinceMs = performance.now();
  });
  stream.on('drain', () => {
    waitingSinceMs = undefined;
  });
  // Who read has gone away: the lines are for nobody, and the calls go on.
  stream.on('error', () => undefined);
  return {
    write: (text: string) => {
      waitingSinceMs ??= performance.now();
      stream.write(text);
    },
  };
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
