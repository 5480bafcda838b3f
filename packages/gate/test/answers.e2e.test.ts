import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  answerControllers,
  type Books,
  bodyOf,
  booksOf,
  type Flow,
  flows,
  type Kind,
  kinds,
  type Naming,
  signNamed,
} from './answers-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { settled } from './requests.js';
import { expectProblem, expectReceiptIsWire, type Wire, wire } from './way-out-under-test.js';

/** What a head says whatever the answer. */
const ofTheMoment = new Set(['date', 'connection', 'keep-alive', 'idempotent-replay']);

function headersOf({ headers }: Wire): readonly (readonly [string, string])[] {
  return [...headers].filter(([name]) => !ofTheMoment.has(name));
}

describe('a stored answer', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;
  let books: Books;
  const maxBytes = 40_000;

  beforeAll(async () => {
    ground = await openGround();
    // Deferred payments are not collected meanwhile, so that each test sees what it moved itself.
    gate = await startGate(ground, {
      controllers: answerControllers,
      env: { DEFERRED_AGE_SECONDS: '3000', ANSWER_MAX_BYTES: String(maxBytes) },
    });
    payer = await fundedPayer(ground.chain, 1);
    books = booksOf(ground);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    TestController.work.runs = 0;
  });

  const get = (path: string, headers: Record<string, string>): Promise<Wire> => wire(gate, path, { headers });

  /** The handler ran once, the call is in the books once, and its money moved once, or not yet. */
  async function expectOnce(nonce: string, flow: Flow, before: bigint): Promise<void> {
    expect(TestController.work.runs).toBe(1);
    expect(await books.entries(nonce)).toBe(1);
    expect((await books.till()) - before).toBe(flow === 'deferred' ? 0n : 1_000n);
  }

  const cases = flows.flatMap((flow) =>
    ([1, 2] as const).flatMap((version) =>
      (Object.keys(kinds) as Kind[]).map((kind) => ({ flow, version, kind, status: kinds[kind].status })),
    ),
  );

  it.each(cases)(
    '$status "$kind" comes back whole to who shows its Idempotency-Key: flow $flow, version $version',
    async ({ flow, version, kind, status }) => {
      const before = await books.till();
      const payment = await signNamed(ground, payer);
      const headers = payment.headers({ version, key: `key-${payment.nonce}` });
      const init = { method: kind === 'made' ? 'POST' : 'GET', headers };
      const first = await wire(gate, `/${flow}/${kind}`, init);
      expect(first.status).toBe(status);
      for (const [name, value] of Object.entries(kinds[kind].headers)) {
        expect([name, first.headers.get(name)]).toEqual([name, value]);
      }
      expect(first.body.equals(kinds[kind].body)).toBe(true);
      const cookies = kind === 'cookies' ? ['a=1; Path=/', 'b=2; HttpOnly'] : [];
      expect([first.headers.get('idempotent-replay'), first.headers.get('answer-stored')]).toEqual([null, null]);
      // Not once only: an answer with an owner stays.
      for (let presentation = 2; presentation <= 3; presentation += 1) {
        const again = await wire(gate, `/${flow}/${kind}`, init);
        expect(again.status).toBe(status);
        expect(again.headers.get('idempotent-replay')).toBe('true');
        expect(again.body.equals(first.body)).toBe(true);
        expect(headersOf(again)).toEqual(headersOf(first));
        expect(again.headers.getSetCookie()).toEqual(cookies);
        expect(again.headers.get('keyfare-receipt')).toMatch(/./);
        await expectReceiptIsWire(gate, again);
      }
      await expectOnce(payment.nonce, flow, before);
    },
    20_000,
  );

  describe.each(flows)('of flow %s', (flow) => {
    /** Presents a payment under its first name, then under others, who are refused, then under the first again. */
    async function expectOwned(first: Naming, others: readonly Naming[]): Promise<void> {
      const before = await books.till();
      const { nonce, headers } = await signNamed(ground, payer);
      const path = `/${flow}/made`;
      const ask = (naming: Naming) => wire(gate, path, { method: 'POST', headers: headers(naming) });
      const served = await ask(first);
      expect(served.status).toBe(201);
      for (const other of others) {
        const refused = await ask(other);
        expect(refused.status).toBe(409);
        await expectProblem(gate, refused, 'payment/served');
        for (const name of ['payment-response', 'x-payment-response', 'idempotent-replay']) {
          expect([name, refused.headers.get(name)]).toEqual([name, null]);
        }
        expect(JSON.parse(refused.body.toString())).not.toHaveProperty('run');
      }
      const again = await ask(first);
      expect([again.status, again.headers.get('idempotent-replay')]).toEqual([201, 'true']);
      expect(again.body.equals(served.body)).toBe(true);
      await expectOnce(nonce, flow, before);
    }

    const id = 'pay_0123456789abcdef';

    it('belongs to the Idempotency-Key of the first presentation: another one, none, or the key as a payment identifier is 409', async () => {
      await expectOwned({ key: id }, [
        { key: `${id}0` },
        { key: id.toUpperCase() },
        {},
        { identifier: id },
        { version: 1 },
      ]);
    }, 20_000);

    it('belongs to the payment identifier of the first presentation: another one, none, or the identifier as a key is 409', async () => {
      await expectOwned({ identifier: id }, [{ identifier: `${id}0` }, {}, { key: id }, { version: 1 }]);
    }, 20_000);

    it('belongs to either name of the first presentation, and a second presentation adds none', async () => {
      const { nonce, headers } = await signNamed(ground, payer);
      const before = await books.till();
      const ask = (naming: Naming) => get(`/${flow}/pdf`, headers(naming));
      expect((await ask({ key: 'mine', identifier: id })).status).toBe(200);
      expect((await ask({ key: 'mine', identifier: `${id}-of-another` })).status).toBe(200);
      expect((await ask({ key: 'of another', identifier: id })).status).toBe(200);
      for (const naming of [{ key: 'of another' }, { identifier: `${id}-of-another` }]) {
        await expectProblem(gate, await ask(naming), 'payment/served');
      }
      await expectOnce(nonce, flow, before);
    }, 20_000);

    it.each([1, 2] as const)(
      'without a name is deleted when it was delivered, and the same payment is 409: version %s',
      async (version) => {
        const before = await books.till();
        const { nonce, headers } = await signNamed(ground, payer);
        expect((await get(`/${flow}/pdf`, headers({ version }))).status).toBe(200);
        await expectGone(nonce);
        for (const naming of [{ version }, { key: 'late' }]) {
          const again = await get(`/${flow}/pdf`, headers(naming));
          expect(again.status).toBe(409);
          await expectProblem(gate, again, 'payment/served');
        }
        await expectOnce(nonce, flow, before);
      },
      20_000,
    );

    it('that is as large as allowed is kept, and one byte more is served, says Answer-Stored: false, and is 409 the second time', async () => {
      const before = await books.till();
      const fits = await signNamed(ground, payer);
      const fitting = fits.headers({ key: 'fits' });
      const kept = await get(`/${flow}/of/${maxBytes}`, fitting);
      expect([kept.status, kept.headers.get('answer-stored')]).toEqual([200, null]);
      const keptAgain = await get(`/${flow}/of/${maxBytes}`, fitting);
      expect([keptAgain.status, keptAgain.body.equals(bodyOf(maxBytes))]).toEqual([200, true]);
      await expectOnce(fits.nonce, flow, before);

      TestController.work.runs = 0;
      const between = await books.till();
      const large = await signNamed(ground, payer);
      const named = large.headers({ key: 'large' });
      const served = await get(`/${flow}/of/${maxBytes + 1}`, named);
      expect([served.status, served.headers.get('answer-stored')]).toEqual([200, 'false']);
      expect(served.body.equals(bodyOf(maxBytes + 1))).toBe(true);
      await expectReceiptIsWire(gate, served);
      expect(await books.kept(large.nonce)).toBe(0);
      const again = await get(`/${flow}/of/${maxBytes + 1}`, named);
      expect(again.status).toBe(409);
      await expectProblem(gate, again, 'payment/served');
      await expectOnce(large.nonce, flow, between);
    }, 20_000);
  });

  it.each(flows)(
    'comes back as it left, past hooks of the host that would change it once more: flow %s',
    async (flow) => {
      const hosted = await startGate(ground, {
        controllers: answerControllers,
        env: { DEFERRED_AGE_SECONDS: '3000' },
        prepare: (app) =>
          app
            .getHttpAdapter()
            .getInstance()
            .addHook('onSend', async (request, reply, payload: unknown) => {
              void reply.header('x-sent', request.id);
              const isText = typeof payload === 'string' || Buffer.isBuffer(payload);
              return request.url.startsWith(`/${flow}`) && isText ? `${payload.toString()}!` : payload;
            }),
      });
      try {
        const before = await books.till();
        const { nonce, headers } = await signNamed(ground, payer);
        const init = { method: 'POST', headers: headers({ key: 'mine' }) };
        const first = await wire(hosted, `/${flow}/made`, init);
        expect([first.status, first.body.toString()]).toEqual([201, '{"run":1}!']);
        const again = await wire(hosted, `/${flow}/made`, init);
        expect(again.body.toString()).toBe('{"run":1}!');
        expect(headersOf(again)).toEqual(headersOf(first));
        await expectReceiptIsWire(hosted, again);
        await expectOnce(nonce, flow, before);
      } finally {
        await hosted.close();
      }
    },
    20_000,
  );

  async function expectGone(nonce: string): Promise<void> {
    expect(await settled(() => books.kept(nonce), 0)).toBe(0);
  }
});
