import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { counted, given } from './free-under-test.js';
import { type Ground, openGround } from './gate-under-test.js';
import { call, settled } from './requests.js';
import { spawnGate } from './spawn-gate.js';

/** Nobody takes a busy process for dead before. */
const longMs = 10_000;

let ground: Ground;

beforeAll(async () => {
  ground = await openGround();
}, 120_000);
afterAll(async () => ground.close());

it('free calls that a killed process held come back, and two processes give away ten of ten among fifty at once', async () => {
  const [first, second] = await Promise.all([spawnGate(ground, 2_000), spawnGate(ground, longMs)]);
  try {
    const hanging = Promise.allSettled(Array.from({ length: 4 }, async () => call(first, '/gift/hangs/yes')));
    expect(await settled(async () => (await counted(ground, 'hangs')).holds, 4)).toBe(4);
    await first.kill();
    await hanging;
    expect(await settled(async () => (await counted(ground, 'hangs')).holds, 0)).toBe(0);
    expect(await counted(ground, 'hangs')).toEqual({ taken: 0, used: 0, held: 0, holds: 0 });
    const third = await spawnGate(ground, longMs);
    try {
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => call(index % 2 === 0 ? second : third, '/gift/hangs/no')),
      );
      const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
      expect([count(200), count(402)]).toEqual([10, 40]);
      expect(await given(ground, 'hangs')).toBe(10);
      expect(await counted(ground, 'hangs')).toEqual({ taken: 10, used: 10, held: 0, holds: 0 });
    } finally {
      await third.kill();
    }
  } finally {
    await Promise.all([first.kill(), second.kill()]);
  }
}, 120_000);
