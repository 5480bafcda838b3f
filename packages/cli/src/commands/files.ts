import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Context, OptionSpec } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';

/** Of what is printed as text, or else goes to a file. */
export const outputOption: OptionSpec = {
  flags: '--output <file>',
  description: 'writes there, and prints only where; a file of that name is replaced when all of it has come',
};

/**
 * Writes an answer to a file, and says so. What breaks off leaves the file as it was: the bytes go to a file beside it,
 * which takes its name at the end.
 */
export async function save({ body }: Response, path: string, { out }: Pick<Context, 'out'>): Promise<undefined> {
  const part = `${path}.part`;
  let bytes = 0;
  const counted = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const source = body === null ? Readable.from([]) : Readable.fromWeb(body);
  try {
    await pipeline(source, counted, createWriteStream(part, { mode: 0o600 }));
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(exitCodes.finding, `${path} was not written: ${why}`);
  }
  await out.record({ file: path, bytes }, [
    ['file', path],
    ['bytes', bytes],
  ]);
  return undefined;
}

/** Prints an answer that is text, as it comes. */
export async function print({ body }: Response, { out }: Pick<Context, 'out'>): Promise<undefined> {
  if (out.json) throw new Failure(exitCodes.usage, 'what is no JSON goes to a file with --json: name it by --output');
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for await (const chunk of body ?? []) await out.raw(decoder.decode(chunk as Uint8Array, { stream: true }));
  await out.raw(decoder.decode());
  return undefined;
}
