import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { isLoud, Loop } from './loop.js';

describe('a loop', () => {
  it('that fails tells of every failure, and of the first success after them', async () => {
    const told: (number | string)[] = [];
    await new Promise<void>((resolve) => {
      const loop = new Loop({
        intervalMs: 0,
        step: async () => {
          if (told.length < 25) throw new Error('poison');
          return false;
        },
        onFailure: (_, failures) => told.push(failures),
        onRecovered: () => {
          told.push('recovered');
          void loop.stop().then(resolve);
        },
      });
      loop.start();
    });
    expect(told).toEqual([...Array.from({ length: 25 }, (_, index) => index + 1), 'recovered']);
  });

  it('is loud at the first failure and again at every tenth: one that lasts does not become silent', () => {
    const loud = Array.from({ length: 40 }, (_, index) => index + 1).filter(isLoud);
    expect(loud).toEqual([1, 10, 20, 30, 40]);
  });
});
