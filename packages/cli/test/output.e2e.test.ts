import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@keyfare/jest-preset/globals';
import { exitCodes } from '../src/exit-code.js';

const bin = fileURLToPath(new URL('../../bin/keyfare.js', import.meta.url));

it('output that cannot be written is told, and the command is not called good', () => {
  // What cannot be written to everywhere: a file that is open for reading.
  const { status, stderr } = spawnSync(bin, ['--help'], {
    stdio: ['ignore', openSync(bin, 'r'), 'pipe'],
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({
    status: exitCodes.finding,
    stderr: expect.stringMatching(/^keyfare: the output could not be written: EBADF/),
  });
});
