import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { fixedClock } from '@keyfare/fixtures/clock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  answerControllers,
  type Books,
  bodyOf,
  booksOf,
  breakOff,
  due,
  flows,
  get,
  type Payment,
  signNamed,
  still,
  sweeping,
  unreadBytes,
} from './answers-under-test.js';
import { type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { settled } from './requests.js';
import { expectProblem, expectReceiptIsWire, type Wire } from './way-out-under-test.js';

let ground: Ground;
let payer: TestPayer;
let books: Books;

beforeAll(async () => {
  ground = await openGround();
  payer = await fundedPayer(ground.chain, 1);
  books = booksOf(ground);
}, 30_000);
afterAll(async () => {
  await ground.close();
}, 30_000);
beforeEach(() => {
  TestController.work.runs = 0;
});

describe('an answer that never arrived', () => {
  it.each(flows)(
    'is given once more to the same payment without a name until ANSWER_RETRY_SECONDS are over, and to nobody after it: flow %s',
    async (flow) => {
      const clock = fixedClock(new Date().toISOString());
      const env = { ...still, ANSWER_RETRY_SECONDS: '5', ANSWER_MAX_BYTES: String(unreadBytes) };
      const gate = await startGate(ground, { controllers: answerControllers, clock, env });
      try {
        const before = await books.till();
        const [inTime, late, other] = await Promise.all([1, 2, 3].map(async () => signNamed(ground, payer)));
        if (inTime === undefined || late === undefined || other === undefined) throw new Error('no payments');
        const path = `/${flow}/of/${unreadBytes}`;
        await breakOff(gate, path, inTime.headers());
        await breakOff(gate, path, late.headers());
        // Deletions go in order: those of the two, had they counted as delivered, would be over with this one's.
        expect((await get(gate, `/${flow}/pdf`, other.headers())).status).toBe(200);
        expect(await settled(() => books.kept(other.nonce), 0)).toBe(0);
        expect([await books.kept(inTime.nonce), await books.kept(late.nonce)]).toEqual([1, 1]);

        clock.advance(4_999);
        const retried = await get(gate, path, inTime.headers());
        expect([retried.status, retried.headers.get('idempotent-replay')]).toEqual([200, 'true']);
        expect(retried.body.equals(bodyOf(unreadBytes))).toBe(true);
        await expectReceiptIsWire(gate, retried);
        expect(await settled(() => books.kept(inTime.nonce), 0)).toBe(0);
        await expectProblem(gate, await get(gate, path, inTime.headers()), 'payment/served');

        clock.advance(1);
        await expectProblem(gate, await get(gate, path, late.headers()), 'payment/served');
        expect(await books.kept(late.nonce)).toBe(1);
        expect(TestController.work.runs).toBe(3);
        expect([await books.entries(inTime.nonce), await books.entries(late.nonce)]).toEqual([1, 1]);
        expect((await books.till()) - before).toBe(due(flow, 3n));
      } finally {
        await gate.close();
      }
    },
    40_000,
  );

  it('because the caller left while the chain was slow is given once to the same payment without a name', async () => {
    const gate = await startGate(ground, { controllers: answerControllers, env: still });
    try {
      const before = await books.till();
      const payment = await signNamed(ground, payer);
      const caller = new AbortController();
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
      const gone = fetch(`${gate.url}/authorization/pdf`, { headers: payment.headers(), signal: caller.signal });
      expect(await settled(() => books.state(payment.nonce), 'settling')).toBe('settling');
      caller.abort();
      await expect(gone).rejects.toThrow();
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await ground.chain.mine();
      let answer: Wire | undefined;
      const ask = async (): Promise<number> => {
        answer = await get(gate, '/authorization/pdf', payment.headers());
        return answer.status;
      };
      expect(await settled(ask, 200)).toBe(200);
      expect(answer?.headers.get('idempotent-replay')).toBe('true');
      expect(await settled(() => books.kept(payment.nonce), 0)).toBe(0);
      await expectProblem(gate, await get(gate, '/authorization/pdf', payment.headers()), 'payment/served');
      expect(TestController.work.runs).toBe(1);
      expect((await books.till()) - before).toBe(1_000n);
    } finally {
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await gate.close();
    }
  }, 30_000);
});

describe('an old answer', () => {
  it.each(flows)(
    'is not given to its owner once ANSWER_MAX_AGE_SECONDS are over, and a sweep deletes it and no younger one: flow %s',
    async (flow) => {
      const clock = fixedClock(new Date().toISOString());
      const env = { ...still, ANSWER_MAX_AGE_SECONDS: '60' };
      const before = await books.till();
      const old = await signNamed(ground, payer);
      const young = await signNamed(ground, payer);
      const path = `/${flow}/pdf`;
      const headersOf = ({ headers }: Payment) => headers({ key: 'mine' });
      const gate = await startGate(ground, { controllers: answerControllers, clock, env });
      try {
        expect((await get(gate, path, headersOf(old))).status).toBe(200);
        clock.advance(59_999);
        expect((await get(gate, path, headersOf(old))).status).toBe(200);
        expect((await get(gate, path, headersOf(young))).status).toBe(200);
        clock.advance(1);
        await expectProblem(gate, await get(gate, path, headersOf(old)), 'payment/served');
        expect([await books.kept(old.nonce), await books.kept(young.nonce)]).toEqual([1, 1]);
      } finally {
        await gate.close();
      }
      clock.advance(1);
      const sweeper = await startGate(ground, { controllers: answerControllers, clock, env: { ...env, ...sweeping } });
      try {
        expect(await settled(() => books.kept(old.nonce), 0)).toBe(0);
        expect(await books.kept(young.nonce)).toBe(1);
        await expectProblem(sweeper, await get(sweeper, path, headersOf(old)), 'payment/served');
        expect((await get(sweeper, path, headersOf(young))).status).toBe(200);
        expect(TestController.work.runs).toBe(2);
        expect((await books.till()) - before).toBe(due(flow, 2n));
      } finally {
        await sweeper.close();
      }
    },
    40_000,
  );
});
