import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { catalogue, isProblem, isProblemCode, Problem, type ProblemCode, toProblemDocument } from './index.js';

const codes = Object.keys(catalogue) as readonly ProblemCode[];
const typeBase = 'https://api.example.com/problems/';
const standard = ['type', 'title', 'status', 'detail', 'code', 'instance'];

test('a problem has the status of its row and says what it was given to say', () => {
  const problem = new Problem('payment/expired', 'The authorization expired at noon.');
  expect(problem).toBeInstanceOf(Error);
  expect(problem).toMatchObject({ code: 'payment/expired', status: 402, detail: 'The authorization expired at noon.' });
  expect(problem.message).toBe(problem.detail);
});

test('a problem that was given nothing to say states its title', () => {
  expect(new Problem('key/not-found').detail).toBe('There is no such key.');
});

test('only a Problem is a problem', () => {
  expect(isProblem(new Problem('key/not-found'))).toBe(true);
  for (const value of [new Error('x'), { code: 'key/not-found', status: 404 }, 'key/not-found', null, undefined]) {
    expect(isProblem(value)).toBe(false);
  }
});

test('the document has the members of RFC 9457, the code, and the extensions', () => {
  const problem = new Problem('meter/exhausted', 'All 1000 units are used.', { extensions: { resetAt: '2026-12-01' } });
  expect(toProblemDocument(problem, { typeBase, instance: 'urn:uuid:1' })).toEqual({
    type: 'https://api.example.com/problems/meter/exhausted',
    title: 'The allowance of this period is used up',
    status: 429,
    detail: 'All 1000 units are used.',
    instance: 'urn:uuid:1',
    code: 'meter/exhausted',
    resetAt: '2026-12-01',
  });
  expect('instance' in toProblemDocument(problem, { typeBase })).toBe(false);
});

test('cause and headers never reach the document', () => {
  const cause = new Error('password=hunter2');
  const problem = new Problem('service/internal', undefined, { cause, headers: { 'Retry-After': '1' } });
  expect(problem.cause).toBe(cause);
  expect(JSON.stringify(toProblemDocument(problem, { typeBase }))).not.toContain('hunter2');
  expect(Object.keys(toProblemDocument(problem, { typeBase }))).toEqual(['type', 'title', 'status', 'detail', 'code']);
});

test('whatever its extensions are called, they replace no standard member and no prototype', () => {
  const name = fc.oneof(fc.constantFrom(...standard, '__proto__', 'constructor', 'toString'), fc.string());
  fc.assert(
    fc.property(fc.constantFrom(...codes), fc.dictionary(name, fc.jsonValue()), (code, extensions) => {
      const document = toProblemDocument(new Problem(code, 'A fact.', { extensions }), { typeBase });
      expect(document).toMatchObject({
        type: typeBase + code,
        status: catalogue[code].status,
        detail: 'A fact.',
        code,
      });
      expect(Object.getPrototypeOf(document)).toBe(Object.prototype);
      for (const key of Object.keys(extensions)) expect(Object.hasOwn(document, key) || key === 'instance').toBe(true);
    }),
  );
});

test('a code is a room and a fault in lower case, its status an error, its texts sentences fit for the public', () => {
  for (const code of codes) {
    const { status, title, remedy } = catalogue[code];
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*\/[a-z]+(-[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
    expect(remedy).toMatch(/^[A-Z].*[.]$/);
  }
});

// A code is for ever: this table grows and never changes.
const promised: Readonly<Record<number, string>> = {
  400: `credential/ambiguous credential/in-query log/malformed money/malformed payment/malformed
    payment/unsupported-version receipt/malformed request/invalid request/malformed tariff/unknown-choice time/malformed`,
  401: `credential/expired credential/malformed credential/required credential/revoked credential/unknown
    operator/unauthorized operator/wrong-password`,
  402: `payment/already-used payment/expired payment/failed payment/insufficient-funds payment/invalid-signature
    payment/mismatched payment/not-yet-valid payment/replayed payment/required payment/unsupported
    payment/refused-by-token payment/gas-limit`,
  403: `account/closed operator/confirm operator/csrf operator/forbidden payment/payer-blocked policy/forbidden
    policy/suspended`,
  404: `account/not-found break/not-found entry/not-found invoice/not-found key/not-found operator/not-found payment/not-found
    session/not-found
    plan/not-found receipt/not-found report/not-found request/not-found contract/not-found customer/not-found
    seller/not-found tax-rate/not-found bank-account/not-found bank-payment/not-found reminder/not-found
    adjustment/not-found
    wallet/not-found refund/not-found`,
  405: 'request/method-not-allowed',
  408: 'request/timeout',
  409: `account/conflict break/conflict break/not-possible entry/conflict key/conflict month/conflict month/not-ready operator/conflict
    payment/in-progress payment/refund-due payment/served plan/conflict request/in-progress contract/conflict seller/conflict
    tax-rate/conflict credit-note/too-much invoice/conflict invoice/needs-approval invoice/no-contract
    invoice/no-tax-rate invoice/not-over invoice/nothing-due bank-account/conflict bank-payment/conflict customer-wallet/conflict
    wallet/conflict refund/conflict adjustment/conflict
    invoice/no-e-invoice`,
  412: 'request/precondition-failed',
  413: 'request/too-large',
  414: 'request/uri-too-long',
  415: 'request/unsupported-media-type',
  422: 'bank-account/unsupported-currency bank-statement/malformed request/idempotency-key-reused',
  428: 'request/precondition-required',
  429: 'credential/throttled meter/contended meter/exhausted operator/throttled payment/throttled',
  431: 'request/header-too-large',
  500: 'answer/streamed answer/unposted answer/unreadable answer/unsendable config/invalid service/internal tariff/failed',
  503: `payment/outcome-unknown service/chain-unavailable service/database-unavailable service/overloaded
    service/shutting-down payment/exposure-exceeded payment/gas-ceiling payment/reverting payment/unprofitable`,
  504: 'service/timeout',
};

test('the codes and their statuses are those that were promised', () => {
  const rows = Object.entries(promised).flatMap(([status, list]) =>
    list.split(/\s+/).map((code) => [code, Number(status)] as const),
  );
  expect(Object.fromEntries(codes.map((code) => [code, catalogue[code].status]))).toEqual(Object.fromEntries(rows));
});

test('a code is known by its own name only', () => {
  for (const code of codes) expect(isProblemCode(code)).toBe(true);
  for (const text of ['', 'payment', 'payment/Required', 'toString', '__proto__', 'constructor']) {
    expect(isProblemCode(text)).toBe(false);
  }
});
