import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { BlockPace } from './block-pace.js';

/** Asks whenever the pace says so, for `forMs`, on a chain with a block every `blockMs`. */
function questions(blockMs: number, forMs: number): { asked: number; latestMs: number } {
  const pace = new BlockPace(5, 1_000);
  let latestMs = 0;
  let asked = 0;
  pace.restart(0);
  for (let nowMs = 0; nowMs < forMs; nowMs += Math.max(1, pace.pauseMs(nowMs))) {
    asked += 1;
    if (pace.saw(BigInt(Math.floor(nowMs / blockMs)), nowMs)) latestMs = Math.max(latestMs, nowMs % blockMs);
  }
  return { asked, latestMs };
}

describe('the pace of blocks', () => {
  it.each([100, 2_000, 12_000])('of %i ms is met: some ten questions a block, and none seen late', (blockMs) => {
    const { asked, latestMs } = questions(blockMs, blockMs * 20);
    expect(asked).toBeLessThan(20 * 15);
    expect(latestMs).toBeLessThanOrEqual(blockMs / 4);
  });

  it('asks less and less while no block comes, and never less than once a second', () => {
    const pace = new BlockPace(5, 1_000);
    pace.restart(0);
    pace.saw(1n, 0);
    expect(pace.pauseMs(0)).toBe(5);
    pace.saw(1n, 400);
    expect(pace.pauseMs(400)).toBe(50);
    pace.saw(1n, 60_000);
    expect(pace.pauseMs(60_000)).toBe(1_000);
  });

  it('asks at once after a time without questions, and learns nothing from that time', () => {
    const pace = new BlockPace(5, 1_000);
    pace.restart(0);
    pace.saw(1n, 0);
    pace.restart(100_000);
    expect(pace.pauseMs(100_000)).toBe(0);
    expect(pace.saw(9n, 100_000)).toBe(true);
    expect(pace.pauseMs(100_000)).toBe(5);
  });
});
