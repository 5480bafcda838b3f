import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { PaymentPayloadV1Schema, PaymentPayloadV2Schema } from '@x402/core/schemas';
import * as fc from 'fast-check';
import { outerPayloadV1, outerPayloadV2 } from './outer-payload.js';

const versions = [
  {
    version: 1,
    ours: outerPayloadV1,
    theirs: PaymentPayloadV1Schema,
    good: { x402Version: 1, scheme: 'exact', network: 'base', payload: { signature: '0x' } },
  },
  {
    version: 2,
    ours: outerPayloadV2,
    theirs: PaymentPayloadV2Schema.omit({ resource: true }),
    good: {
      x402Version: 2,
      accepted: {
        scheme: 'exact',
        network: 'eip155:8453',
        asset: '0x',
        amount: '1',
        payTo: '0x',
        maxTimeoutSeconds: 60,
        extra: { name: 'USDC' },
      },
      payload: { signature: '0x' },
      extensions: { 'payment-identifier': { info: { id: 'x' } } },
    },
  },
];

const values = fc.constantFrom(undefined, null, true, 0, -1, 1.5, 3, '', 'a', 'a:', ':', 'a:b', [], [1], {}, { a: 1 });

/** Every member of the document, however deep, as a path. */
function paths(value: object, above: readonly string[] = []): string[][] {
  return Object.entries(value).flatMap(([name, member]) => {
    const path = above.concat(name);
    return typeof member === 'object' && member !== null ? [path].concat(paths(member, path)) : [path];
  });
}

function changed(value: unknown, [name, ...rest]: readonly string[], to: unknown): unknown {
  if (name === undefined) return to;
  const members = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  return { ...members, [name]: changed(members[name], rest, to) };
}

describe.each(versions)('the outer shape of version $version', ({ ours, theirs, good }) => {
  it('is what the schema of @x402/core takes', () => {
    expect(ours.safeParse(good).success).toBe(true);
    expect(theirs.safeParse(good).success).toBe(true);
  });

  it('refuses what that refuses, whatever member is changed to whatever', () => {
    const change = fc.tuple(fc.constantFrom(...paths(good)), values);
    let refused = 0;
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const value = changes.reduce((so: unknown, [path, to]) => changed(so, path, to), good);
        const document: unknown = JSON.parse(JSON.stringify(value));
        const verdict = ours.safeParse(document).success;
        if (!verdict) refused += 1;
        expect(verdict).toBe(theirs.safeParse(document).success);
      }),
      { numRuns: 2_000 },
    );
    expect(refused).toBeGreaterThan(200);
  });
});
