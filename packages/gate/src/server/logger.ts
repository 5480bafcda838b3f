import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';

/** Names under which a secret could come into a log line; their values never leave. */
const secrets = [
  'authorization',
  '["x-api-key"]',
  '["payment-signature"]',
  '["x-payment"]',
  'cookie',
  'password',
  'privateKey',
  'secret',
  'token',
];

/** A JSON logger on standard output. Headers and bodies are not logged at all; redaction stands behind that. */
export function createLogger(
  { name, level }: { name: string; level: LevelWithSilent },
  destination?: DestinationStream,
): Logger {
  const options = {
    name,
    level,
    redact: {
      paths: secrets.flatMap((key) =>
        key.startsWith('[') ? [key.slice(0), `*${key}`, `*.*${key}`] : [key, `*.${key}`, `*.*.${key}`],
      ),
      censor: '[redacted]',
    },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Nest's own lines, through the same logger. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

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
