import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { networkOf, Throttle } from './throttle.js';

describe('a throttle', () => {
  it('lets a burst through, then says when the next may come', () => {
    let nowMs = 0;
    const throttle = new Throttle({ burst: 3, perSecond: 0.5, nowMs: () => nowMs });
    expect([1, 2, 3, 4].map(() => throttle.take('192.0.2.1'))).toEqual([0, 0, 0, 2]);
    expect(throttle.take('192.0.2.2')).toBe(0);
    nowMs = 2_000;
    expect(throttle.take('192.0.2.1')).toBe(0);
    expect(throttle.take('192.0.2.1')).toBe(2);
    nowMs = 60_000;
    expect([1, 2, 3, 4].map(() => throttle.take('192.0.2.1'))).toEqual([0, 0, 0, 2]);
  });

  it('counts one provider customer of IPv6 once, however many addresses it takes', () => {
    const throttle = new Throttle({ burst: 1, perSecond: 1, nowMs: () => 0 });
    expect(throttle.take('2001:db8:1:2::1')).toBe(0);
    expect(throttle.take('2001:db8:1:2:ffff::9')).toBe(1);
    expect(throttle.take('2001:db8:1:3::1')).toBe(0);
  });

  it('forgets the address that was quiet longest', () => {
    const throttle = new Throttle({ burst: 1, perSecond: 0.001, nowMs: () => 0, maxAddresses: 2 });
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.1', '10.0.0.3']) throttle.take(address);
    expect(throttle.take('10.0.0.1')).toBeGreaterThan(0);
    expect(throttle.take('10.0.0.2')).toBe(0);
  });

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0001:0002:0003:0004:0005:0006', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['192.0.2.1:49152', '192.0.2.1'],
    ['[2001:db8:1:2::9]:49152', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]', '2001:db8:1:2::/64'],
  ])('%s belongs to %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
