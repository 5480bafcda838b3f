import { fundedPayer, testPayer } from '@keyfare/devstack/payers';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { formatKey, generateKey } from '../src/key/key-format.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { type Answer, call, rows, settled, signPayment, withKey } from './requests.js';

/** What those may cost who neither pay nor have a key. */
describe('strangers', () => {
  let ground: Ground;
  let node: Proxy;
  let gate: GateUnderTest | undefined;

  beforeAll(async () => {
    ground = await openGround();
    node = await openProxy(ground.chain.rpcUrl);
  }, 30_000);
  afterEach(async () => {
    await gate?.close();
    gate = undefined;
    node.reset();
  }, 30_000);
  afterAll(async () => {
    await node.close();
    await ground.close();
  }, 30_000);

  async function start(env: Readonly<Record<string, string>>): Promise<GateUnderTest> {
    gate = await startGate(ground, { env: { RPC_URL: node.url, ...env } });
    return gate;
  }

  const pay = async (at: GateUnderTest, index: number): Promise<Answer> =>
    call(at, '/ping', { headers: (await signPayment(ground, testPayer(index))).v2 });

  it('whose payments are refused one after the other are sent away before anything is asked; who was served is not', async () => {
    const at = await start({ REFUSED_PAYMENTS_PER_ADDRESS: '1', REFUSED_PAYMENTS_TOTAL: '100000' });
    await fundedPayer(ground.chain, 200);
    expect((await pay(at, 200)).status).toBe(200);
    // Broke, and so refused after a claim and two questions, until the two of the burst are used up.
    const codes: unknown[] = [];
    let last: Answer | undefined;
    let payer = 200;
    while (payer < 215 && last?.status !== 429) {
      payer += 1;
      last = await pay(at, payer);
      codes.push(last.body['code']);
    }
    const asked = (index: number): boolean =>
      JSON.stringify(node.batches).toLowerCase().includes(testPayer(index).address.slice(2).toLowerCase());
    expect([asked(201), asked(payer)]).toEqual([true, false]);
    expect(codes.slice(0, 2)).toEqual(['payment/insufficient-funds', 'payment/insufficient-funds']);
    expect(codes.at(-1)).toBe('payment/throttled');
    expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
    await fundedPayer(ground.chain, 200);
    expect((await pay(at, 200)).status).toBe(200);
    expect(
      await settled(
        async () => (await rows(ground.database.url, `select 1 from keyfare.payment where state = 'claimed'`)).length,
        0,
      ),
    ).toBe(0);
  }, 30_000);

  it('are bounded in total, too: 503 with Retry-After, before anything is asked', async () => {
    const at = await start({ REFUSED_PAYMENTS_PER_ADDRESS: '10000', REFUSED_PAYMENTS_TOTAL: '1' });
    let last: Answer | undefined;
    for (let index = 240; index < 260 && last?.status !== 503; index += 1) last = await pay(at, index);
    expect(last?.body['code']).toBe('service/overloaded');
    expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
  }, 30_000);

  it('with wrong keys are told to wait after a hundred, and right keys from the same address are served, known or not', async () => {
    const at = await start({});
    const known = await at.issueKey();
    expect((await call(at, '/ping', withKey(known.secret))).status).toBe(200);
    const wrong = await Promise.all(
      Array.from({ length: 140 }, async () => call(at, '/ping', withKey(formatKey(generateKey('test'))))),
    );
    const counts = new Map<unknown, number>();
    for (const { body } of wrong) counts.set(body['code'], (counts.get(body['code']) ?? 0) + 1);
    expect(counts.get('credential/unknown')).toBeGreaterThanOrEqual(100);
    expect(counts.get('credential/throttled')).toBeGreaterThan(0);
    expect(counts.size).toBe(2);
    const unknown = await at.issueKey();
    for (const { secret } of [known, unknown]) expect((await call(at, '/ping', withKey(secret))).status).toBe(200);
  }, 30_000);
});
