import { spawnSync } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { exitCodes } from '../src/exit-code.js';

const bin = fileURLToPath(new URL('../../bin/keyfare.js', import.meta.url));

// A device of Linux that is always full.
(existsSync('/dev/full') ? it : it.skip)('a list that does not fit on the disk is told, and is not called good', () => {
  const { status, stderr } = spawnSync(bin, ['--help'], {
    stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({
    status: exitCodes.finding,
    stderr: expect.stringMatching(/^keyfare: the output could not be written: ENOSPC/),
  });
});
