import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultHomePath, openSharedHome, type SharedHome } from './home/index.js';

/**
 * What all test runs of this checkout, or of these node_modules, share: `.keyfare/test`, or, when this account cannot
 * write there (the checkout is somebody else's), a directory of its own under the system's temporary one. Another
 * `name` is another home.
 */
export function openTestHome(name = 'test'): SharedHome {
  const inside = join(defaultHomePath(), name);
  const checkout = createHash('sha256').update(inside).digest('hex').slice(0, 12);
  const outside = join(tmpdir(), `keyfare-test-${String(process.getuid?.() ?? 0)}-${checkout}`);
  return openSharedHome(isOurs(inside) ? inside : outside);
}

function isOurs(path: string): boolean {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
    return statSync(path).uid === (process.getuid?.() ?? statSync(path).uid);
  } catch {
    return false;
  }
}
