import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { makeArea } from '../test/area.js';

const packageDir = fileURLToPath(new URL('../../', import.meta.url));
const artifacts = join(packageDir, 'artifacts');
const area = makeArea();
afterAll(area.remove);

function check(directory: string): { status: number | null; words: string } {
  const script = join(packageDir, 'scripts/contracts.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check', directory], { encoding: 'utf8' });
  return { status, words: stderr };
}

describe('artifacts', () => {
  it('are byte for byte what the pinned compiler makes of contracts/', () => {
    expect(check(artifacts)).toEqual({ status: 0, words: '' });
  }, 60_000);

  it('are found out when one character of one differs', () => {
    const copy = join(area.path, 'artifacts');
    mkdirSync(copy);
    for (const file of readdirSync(artifacts)) copyFileSync(join(artifacts, file), join(copy, file));
    const path = join(copy, 'TestWallet.json');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"0x6080', '"0x6081'));
    expect(check(copy)).toEqual({ status: 1, words: expect.stringContaining('TestWallet.json is not what') });
  }, 60_000);

  it('hold code only: no metadata hash follows it', () => {
    for (const file of readdirSync(artifacts)) {
      const { runtimeBytecode } = JSON.parse(readFileSync(join(artifacts, file), 'utf8')) as {
        runtimeBytecode: string;
      };
      expect(runtimeBytecode).not.toMatch(/a264697066735822|64736f6c63/); // "ipfs", "solc" in CBOR
    }
  });
});
