import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Bucket } from './bucket.js';

describe('a bucket', () => {
  it('hands out exactly what was put in, whatever the order of leases, calls and voids', async () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('add', 'take', 'wait', 'void'), fc.bigInt(1n, 5n)), {
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const bucket = new Bucket('a', new Date(0));
        let put = 0n;
        const held: bigint[] = [];
        const waits: Promise<void>[] = [];
        for (const [step, units] of sequence) {
          if (step === 'add') {
            put += units;
            bucket.add(units);
          } else if (step === 'take' && bucket.take(units)) held.push(units);
          else if (step === 'wait') {
            waits.push(bucket.wait(units).then((granted) => void (granted === 'granted' && held.push(units))));
            bucket.add(0n);
          } else if (step === 'void') {
            await Promise.resolve();
            const back = held.pop();
            if (back !== undefined) bucket.release(back);
          }
        }
        bucket.deny();
        await Promise.all(waits);
        const out = held.reduce((sum, units) => sum + units, 0n);
        return out === bucket.held && out + bucket.free === put && bucket.free >= 0n;
      }),
    );
  });

  it('serves the line in its order: a small call does not overtake a large one', async () => {
    const bucket = new Bucket('a', new Date(0));
    const large = bucket.wait(5n);
    expect(bucket.take(1n)).toBe(false);
    const small = bucket.wait(1n);
    expect(bucket.wanted).toBe(6n);
    bucket.add(5n);
    expect(await large).toBe('granted');
    bucket.deny();
    expect(await small).toBe('exhausted');
  });

  it('sends away who does not fit, and serves the smaller call behind', async () => {
    const bucket = new Bucket('a', new Date(0));
    const line = [bucket.wait(5n), bucket.wait(1n), bucket.wait(3n), bucket.wait(1n)];
    bucket.unused = 3n;
    bucket.add(2n);
    bucket.denyExhausted();
    bucket.deny();
    expect(await Promise.all(line)).toEqual(['exhausted', 'granted', 'contended', 'granted']);
    expect([bucket.free, bucket.held]).toEqual([0n, 2n]);
  });

  it('gives nothing back while somebody waits', () => {
    const bucket = new Bucket('a', new Date(0));
    bucket.add(2n);
    void bucket.wait(3n);
    expect(bucket.drain()).toBe(0n);
    bucket.deny();
    expect(bucket.drain()).toBe(2n);
    expect(bucket.free).toBe(0n);
  });
});
