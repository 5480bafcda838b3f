import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { assert, oneof, property, string, stringMatching } from 'fast-check';
import { parseTraceParent } from './trace-parent.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

describe('a traceparent header', () => {
  it('of version 00 is read: trace, parent and whether it is sampled', () => {
    expect(parseTraceParent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, flags: 1 });
    expect(parseTraceParent(`00-${traceId}-${spanId}-00`)).toEqual({ traceId, spanId, flags: 0 });
  });

  it('with flags that are not defined yet is read, and they are passed over', () => {
    expect(parseTraceParent(`00-${traceId}-${spanId}-ff`)?.flags).toBe(1);
    expect(parseTraceParent(`00-${traceId}-${spanId}-fe`)?.flags).toBe(0);
  });

  it('of a later version is read as far as version 00 goes', () => {
    expect(parseTraceParent(`01-${traceId}-${spanId}-01`)?.traceId).toBe(traceId);
    expect(parseTraceParent(`cc-${traceId}-${spanId}-01-what-comes-later`)?.traceId).toBe(traceId);
    expect(parseTraceParent(`cc-${traceId}-${spanId}-01.more`)).toBeNull();
  });

  it.each([
    ['nothing', ''],
    ['version ff', `ff-${traceId}-${spanId}-01`],
    ['version 00 with something behind it', `00-${traceId}-${spanId}-01-more`],
    ['upper-case digits', `00-${traceId.toUpperCase()}-${spanId}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a parent of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['a short trace', `00-${traceId.slice(1)}-${spanId}-01`],
    ['blanks around it', ` 00-${traceId}-${spanId}-01 `],
    ['two headers in one', `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`],
  ])('is ignored with %s', (_what, header) => {
    expect(parseTraceParent(header)).toBeNull();
  });

  it('of any text throws nothing, and what is read of it is well-formed', () => {
    assert(
      property(oneof(string(), stringMatching(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.?$/)), (text) => {
        const read = parseTraceParent(text);
        if (read === null) return;
        expect(read.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
        expect(read.spanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
      }),
    );
  });
});
