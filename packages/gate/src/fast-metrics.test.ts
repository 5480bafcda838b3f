import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { Histogram, Registry } from 'prom-client';
import { FastHistogram } from './fast-metrics.js';

const buckets = [0.1, 1, 10];
const values = [0.05, 0.1, 0.5, 1, 5, 100];

describe('a histogram for the hot path', () => {
  it('is written as prom-client writes one that observed the same', async () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    const settings = { name: 'time_seconds', help: 'Time.', buckets };
    const fast = new FastHistogram(ours, { ...settings, labelNames: ['rail', 'stage'] });
    const plain = new Histogram({ ...settings, labelNames: ['rail', 'stage'], registers: [theirs] });
    for (const stage of ['hold', 'post']) {
      const series = fast.series('key', stage);
      for (const value of values) {
        series.observe(value);
        plain.observe({ rail: 'key', stage }, value);
      }
    }
    const lines = async (registry: Registry): Promise<readonly string[]> =>
      (await registry.metrics()).split('\n').map((line) => {
        // Labels have no order.
        const [, name = line, labels, value = ''] = /^(\w+)\{(.*)\} (.*)$/.exec(line) ?? [];
        return labels === undefined ? line : `${name}{${labels.split(',').toSorted().join(',')}} ${value}`;
      });
    expect((await lines(ours)).toSorted()).toEqual((await lines(theirs)).toSorted());
  });

  it('of one label has that label alone', async () => {
    const registry = new Registry();
    const fast = new FastHistogram(registry, { name: 'size', help: 'Size.', labelNames: ['group'], buckets });
    fast.series('key').observe(2);
    expect(fast.series('key').labels).toEqual({ group: 'key' });
    expect(await registry.metrics()).toContain('size_count{group="key"} 1');
  });
});
