import type { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';

/** A CSV file to save, whose name lacks its ending. */
export function csvOf(content: Readable, name: string): StreamableFile {
  return fileOf(content, { type: 'text/csv; charset=utf-8; header=present', name: `${name}.csv` });
}

export function fileOf(
  content: Readable,
  { type, name }: { readonly type: string; readonly name: string },
): StreamableFile {
  return new StreamableFile(content, { type, disposition: `attachment; filename="keyfare-${name}"` });
}
