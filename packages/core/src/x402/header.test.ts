import { expect, test } from '@keyfare/jest-preset/globals';
import { PaymentPayloadV1Schema, PaymentPayloadV2Schema } from '@x402/core/schemas';
import * as fc from 'fast-check';
import { anyMutation, anyText, codeOf } from '../../test/fuzz.js';
import { networkOf, termsWith } from '../../test/payer.js';
import { readVectors } from '../../test/vectors.js';
import { encodeBase64, type Hex, utf8 } from '../encoding/index.js';
import { Problem, type ProblemCode } from '../problem/index.js';
import {
  loadSignatureVerifier,
  maxPaymentHeaderLength,
  type PaymentHeader,
  parsePaymentHeader,
  verifyAuthorization,
} from './index.js';

interface PaymentVector {
  readonly title: string;
  readonly header: PaymentHeader;
  readonly text: string;
  /** The moment of the others by default. */
  readonly now?: string;
  readonly verdict?: { readonly payer: string; readonly signature: string };
  readonly refused?: ProblemCode;
}

const vectors = readVectors('payments') as {
  readonly now: string;
  readonly terms: { readonly network: string; readonly payTo: Hex; readonly amount: string };
  readonly payments: readonly PaymentVector[];
};
const verifier = await loadSignatureVerifier();
const terms = termsWith({
  network: networkOf(vectors.terms.network),
  payTo: vectors.terms.payTo,
  amount: BigInt(vectors.terms.amount),
});
const refusals = ['payment/malformed', 'payment/unsupported-version', 'payment/unsupported'];

function judge({ header, text, now = vectors.now }: PaymentVector): object {
  const payment = parsePaymentHeader(header, text);
  const verdict = verifyAuthorization({ ...payment, terms, now: new Date(now), verifier });
  if (!verdict.ok) throw new Problem(verdict.code, verdict.detail);
  return verdict;
}

const accepted = vectors.payments.filter((vector) => vector.verdict !== undefined);
const refused = vectors.payments.filter((vector) => vector.refused !== undefined);

test.each(accepted)('a payment is taken: $title', (vector) => {
  expect(judge(vector)).toEqual({ ok: true, ...vector.verdict });
});

test.each(refused)('a payment is refused as $refused: $title', (vector) => {
  expect(codeOf(() => judge(vector))).toBe(vector.refused);
});

test('both versions present the same payment, in lower case and as CAIP-2', () => {
  const [v2, v1] = accepted.map(({ header, text }) => parsePaymentHeader(header, text));
  expect(v1).toMatchObject({ x402Version: 1, scheme: 'exact', network: 'eip155:84532' });
  expect(v2).toMatchObject({ x402Version: 2, scheme: 'exact', network: 'eip155:84532' });
  expect(v1?.authorization).toEqual(v2?.authorization);
  expect(v1?.accepted).toBeUndefined();
  expect(v2?.accepted?.payTo).toBe(vectors.terms.payTo);
  expect(v2?.authorization.to).toBe(vectors.terms.payTo.toLowerCase());
});

test('a header longer than 8 KiB is not decoded at all', () => {
  const text = accepted[0]?.text ?? '';
  const spaces = ' '.repeat(maxPaymentHeaderLength);
  const padded = encodeBase64(utf8(Buffer.from(text, 'base64').toString() + spaces));
  expect(padded.length).toBeGreaterThan(maxPaymentHeaderLength);
  expect(codeOf(() => parsePaymentHeader('PAYMENT-SIGNATURE', padded))).toBe('payment/malformed');
  expect(codeOf(() => parsePaymentHeader('PAYMENT-SIGNATURE', 'A'.repeat(10_000_000)))).toBe('payment/malformed');
});

test('a payload nested as deep as the header allows is refused without exhausting the stack', () => {
  const text = encodeBase64(utf8(`{"x402Version":2,"accepted":${'['.repeat(3000)}${']'.repeat(3000)}}`));
  expect(codeOf(() => parsePaymentHeader('PAYMENT-SIGNATURE', text))).toBe('payment/malformed');
});

test('whatever the header, it is refused with a Problem of the payment room, or taken', () => {
  const [v2 = '', v1 = ''] = accepted.map((vector) => Buffer.from(vector.text, 'base64').toString());
  const mutated = fc
    .oneof(anyMutation(v2), anyMutation(v1), fc.json({ maxDepth: 6 }))
    .map((json) => encodeBase64(utf8(json)));
  const header = fc.constantFrom<PaymentHeader>('PAYMENT-SIGNATURE', 'X-PAYMENT');
  fc.assert(
    fc.property(header, fc.oneof(mutated, anyText), (name, text) => {
      expect([null, ...refusals]).toContain(codeOf(() => parsePaymentHeader(name, text)));
    }),
    { numRuns: 1500 },
  );
});

test('whatever members a payload has in place of its own, it is refused with a Problem or taken', () => {
  const [v2, v1] = accepted.map(({ text }) => JSON.parse(Buffer.from(text, 'base64').toString()) as Json);
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(1, 2, 'exact', '0x', null, '__proto__'));
  const base = fc.constantFrom([v2, 'PAYMENT-SIGNATURE'] as const, [v1, 'X-PAYMENT'] as const);
  fc.assert(
    fc.property(base, fc.nat(), value, ([payload, header], place, put) => {
      const changed = replaceAt(payload ?? null, place, put);
      const code = codeOf(() => parsePaymentHeader(header, encodeBase64(utf8(JSON.stringify(changed)))));
      expect([null, ...refusals]).toContain(code);
      // What we take, the official schema takes.
      const schema = header === 'X-PAYMENT' ? PaymentPayloadV1Schema : PaymentPayloadV2Schema.omit({ resource: true });
      expect(code !== null || schema.safeParse(changed).success).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A copy of `value` with its `place`-th node replaced. */
function replaceAt(value: Json, place: number, put: unknown): unknown {
  let left = place % 25;
  const walk = (node: unknown): unknown => {
    left -= 1;
    if (left < 0) {
      left = Number.POSITIVE_INFINITY;
      return put;
    }
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([name, member]) => [name, walk(member)]));
  };
  return walk(value);
}
