import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@keyfare/jest-preset/globals';

/** A directory for one test file. Passable: when root runs the tests, another account runs PostgreSQL in it. */
export function makeArea(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'keyfare-test-'));
  chmodSync(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Whether root runs the tests: what root must do differently cannot be seen by anybody else. */
export const isRoot = process.getuid?.() === 0;

/** Groups the tests that only root can run. */
export const describeAsRoot: (name: string, block: () => void) => void = isRoot ? describe : describe.skip;
