import { expect, it } from '@jest/globals';
import type { SqlPool } from '@keyfare/db/sql';
import { Bucket } from './bucket.js';
import { Leases } from './leases.js';

it('serves a call that comes into the line at the very moment when the last one was served', async () => {
  const query = async (): Promise<readonly object[]> => [{ units: '1', unused: '9', others_hold: false }];
  const leases = new Leases({ query } as unknown as SqlPool, 'replica');
  const bucket = new Bucket('account', new Date(0));
  const next = bucket.wait(1n).then(() => {
    const answer = bucket.wait(1n);
    leases.serve(bucket);
    return answer;
  });
  leases.serve(bucket);
  expect(await next).toBe('granted');
  expect([bucket.free, bucket.held]).toEqual([0n, 2n]);
});
