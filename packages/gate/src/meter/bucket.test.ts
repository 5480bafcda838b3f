import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { Bucket } from './bucket.js';

const newBucket = (): Bucket => new Bucket({ accountId: 'a', periodStart: new Date(0), writer: 'w', post: 0n });

describe('a bucket', () => {
  it('hands out exactly what was put in, whatever the order of leases, calls, posts of less and voids', async () => {
    const kinds = fc.constantFrom('add', 'take', 'wait', 'void', 'post');
    const steps = fc.array(fc.tuple(kinds, fc.bigInt(1n, 5n)), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const bucket = newBucket();
        let put = 0n;
        let posted = 0n;
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
          } else if (step === 'void' || step === 'post') {
            await Promise.resolve();
            const back = held.pop();
            if (back === undefined) continue;
            const used = step === 'void' ? 0n : units < back ? units : back;
            posted += used;
            bucket.end({ units: back, leased: true }, used);
          }
        }
        bucket.deny();
        await Promise.all(waits);
        const out = held.reduce((sum, units) => sum + units, 0n);
        return out === bucket.held && out + bucket.free + posted === put && bucket.used === posted && bucket.free >= 0n;
      }),
    );
  });

  it('counts what is posted without a lease apart, and admits it only while a lease is open', () => {
    const bucket = newBucket();
    expect(bucket.takeBeyond(3n)).toBe(false);
    bucket.isOpen = true;
    expect(bucket.takeBeyond(3n)).toBe(true);
    bucket.end({ units: 3n, leased: false }, 2n);
    expect([bucket.heldBeyond, bucket.used, bucket.usedBeyond, bucket.free]).toEqual([0n, 2n, 2n, 0n]);
  });

  it('refuses a post of more than was held', () => {
    const bucket = newBucket();
    bucket.add(1n);
    expect(bucket.take(1n)).toBe(true);
    expect(() => bucket.end({ units: 1n, leased: true }, 2n)).toThrow(RangeError);
  });

  it('serves the line in its order: a small call does not overtake a large one', async () => {
    const bucket = newBucket();
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
    const bucket = newBucket();
    const line = [bucket.wait(5n), bucket.wait(1n), bucket.wait(3n), bucket.wait(1n)];
    bucket.unused = 3n;
    bucket.add(2n);
    bucket.denyExhausted();
    bucket.deny();
    expect(await Promise.all(line)).toEqual(['exhausted', 'granted', 'contended', 'granted']);
    expect([bucket.free, bucket.held]).toEqual([0n, 2n]);
  });

  it('gives nothing back while somebody waits', () => {
    const bucket = newBucket();
    bucket.add(2n);
    void bucket.wait(3n);
    bucket.drain();
    expect(bucket.free).toBe(2n);
    bucket.deny();
    bucket.drain();
    expect(bucket.free).toBe(0n);
  });
});
