import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { choosePort } from '@keyfare/devstack/ports';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Ground, openGround } from './api-process.js';

const mainPath = fileURLToPath(new URL('../src/main.js', import.meta.url));

describe('an API whose standard output nobody reads', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround();
  }, 60_000);
  afterAll(async () => {
    await ground.close();
  }, 30_000);

  it('serves on, drops lines and counts them, and ends when it is asked to', async () => {
    const port = String(await choosePort());
    const child = spawn(process.execPath, [mainPath], {
      env: { ...ground.env, PORT: port, PUBLIC_URL: `http://127.0.0.1:${port}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    try {
      const url = `http://127.0.0.1:${port}`;
      for (;;) {
        const isUp = await fetch(`${url}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        );
        if (isUp) break;
        await new Promise((wake) => setTimeout(wake, 50));
      }
      // A paused stream reads no more than one chunk ahead: the pipe and the backlog behind it are full soon.
      child.stdout.pause();
      const lines = async (): Promise<number> => {
        const text = await (await fetch(`${url}/metrics`)).text();
        return Number(/^keyfare_log_lines_dropped (\d+)$/m.exec(text)?.[1]);
      };
      while ((await lines()) < 100) {
        const statuses = await Promise.all(
          Array.from({ length: 200 }, async () => fetch(`${url}/healthz`).then(({ status }) => status)),
        );
        expect(new Set(statuses)).toEqual(new Set([200]));
      }
    } finally {
      child.kill('SIGTERM');
    }
    expect(await exited).toEqual([0, null]);
  }, 120_000);
});
