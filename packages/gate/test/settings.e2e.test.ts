import { money } from '@keyfare/core/money';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { ConfigurationError } from '../src/config.js';
import { GateHealth, GatePassport, PlanService } from '../src/services.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, settled, signPayment, withKey } from './requests.js';

let ground: Ground;
let node: Proxy;
let payer: TestPayer;
const gates: GateUnderTest[] = [];

beforeAll(async () => {
  ground = await openGround();
  node = await openProxy(ground.chain.rpcUrl);
  payer = await fundedPayer(ground.chain, 1);
}, 30_000);
afterEach(async () => {
  await Promise.all(gates.splice(0).map(async (gate) => gate.close()));
  node.reset();
});
afterAll(async () => {
  await node.close();
  await ground.close();
});

async function start(env: Readonly<Record<string, string>>): Promise<GateUnderTest> {
  const gate = await startGate(ground, { env });
  gates.push(gate);
  return gate;
}

const statusOf = async (gate: GateUnderTest, secret: string): Promise<number> =>
  (await call(gate, '/ping', withKey(secret))).status;

/** As a node of Ethereum would say. */
const otherChain: Proxy['answer'] = ({ method }) => (method === 'eth_chainId' ? { result: '0x1' } : undefined);

describe('a node', () => {
  it('of another chain stops the start in production, by the name of its setting and with what to do', async () => {
    node.answer = otherChain;
    const env = { NODE_ENV: 'production', RPC_URL: node.url };
    const refused = await start(env).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConfigurationError);
    expect((refused as ConfigurationError).faults).toEqual([
      'RPC_URL is a node of another chain: name one of base-sepolia, whose chain id is 84532',
    ]);
    const further = { NETWORKS: 'polygon', RPC_URL_POLYGON: ground.chain.rpcUrl, RPC_URL: node.url };
    expect(await start(further).catch((error: unknown) => (error as ConfigurationError).faults)).toEqual([
      'RPC_URL is a node of another chain: name one of base-sepolia, whose chain id is 84532',
      'RPC_URL_POLYGON is a node of another chain: name one of polygon, whose chain id is 137',
    ]);
  });

  it('that does not answer stops nothing; when it answers for another chain nothing is paid there, and when for the right one all is', async () => {
    node.handle = (_incoming, response) => {
      response.writeHead(502).end();
      return true;
    };
    const gate = await start({ NODE_ENV: 'production', RPC_URL: node.url });
    const readiness = async () => (await gate.app.get(GateHealth).readiness()).chain;
    expect(await readiness()).toBe('down');
    const { v2 } = await signPayment(ground, payer);
    node.reset();
    node.answer = otherChain;
    expect(await settled(readiness, 'wrong-chain')).toBe('wrong-chain');
    const refused = await call(gate, '/ping', { headers: v2 });
    expect([refused.status, refused.body['code']]).toEqual([503, 'service/chain-unavailable']);
    const { secret } = await gate.issueKey();
    expect(await statusOf(gate, secret)).toBe(200);
    node.reset();
    expect(await settled(readiness, 'up')).toBe('up');
    expect(await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200)).toBe(200);
  });

  it('of another chain stops no start where nothing is at stake', async () => {
    node.answer = otherChain;
    const gate = await start({ RPC_URL: node.url });
    const chain = async (): Promise<string> => (await gate.app.get(GateHealth).readiness()).chain;
    expect(await settled(chain, 'wrong-chain')).toBe('wrong-chain');
  });
});

describe('a plan', () => {
  it('that sells beyond its units must name a price, and $0 is one; a plan that refuses them has none', async () => {
    const plans = (await start({})).app.get(PlanService);
    const plan = { slug: 'priced', includedUnits: 1n, monthlyPrice: money('USD', 0n) };
    for (const overage of ['invoice', 'x402'] as const) {
      await expect(plans.create({ ...plan, overage, overagePrice: null })).rejects.toMatchObject({
        code: 'request/invalid',
        status: 400,
      });
      const { overagePrice } = await plans.create({ ...plan, overage, overagePrice: money('USD', 0n) });
      expect(overagePrice).toEqual(money('USD', 0n));
    }
    expect((await plans.create({ ...plan, overage: 'reject', overagePrice: null })).overagePrice).toBeNull();
    const listed = (await plans.list(null, 200)).filter(({ slug }) => slug === plan.slug);
    expect(listed.map(({ overagePrice }) => overagePrice)).toEqual([null, money('USD', 0n), money('USD', 0n)]);
  });
});

describe('a key', () => {
  it('of the test environment is 401 at a live gate, and a live one at a test gate, on one database', async () => {
    const [test, live] = [await start({ KEY_ENVIRONMENT: 'test' }), await start({ KEY_ENVIRONMENT: 'live' })];
    const [ofTest, ofLive] = [(await test.issueKey()).secret, (await live.issueKey()).secret];
    expect([ofTest.slice(0, 8), ofLive.slice(0, 8)]).toEqual(['kf_test_', 'kf_live_']);
    expect([await statusOf(test, ofTest), await statusOf(live, ofLive)]).toEqual([200, 200]);
    const refused = await call(live, '/ping', withKey(ofTest));
    expect([refused.status, refused.body['code']]).toEqual([401, 'credential/unknown']);
    expect(refused.body['detail']).toContain('kf_live_');
    expect(refused.headers.has('payment-required')).toBe(false);
    expect(await statusOf(test, ofLive)).toBe(401);
  });

  it('of one gate is not known to another gate in the same process, whichever came last', async () => {
    const elsewhere = await openGround();
    const [one, other] = [await start({}), await startGate(elsewhere)];
    try {
      const [ofOne, ofOther] = [(await one.issueKey()).secret, (await other.issueKey()).secret];
      expect([await statusOf(one, ofOne), await statusOf(other, ofOther)]).toEqual([200, 200]);
      expect([await statusOf(one, ofOther), await statusOf(other, ofOne)]).toEqual([401, 401]);
      for (const [gate, own, strange] of [
        [one, ofOne, ofOther],
        [other, ofOther, ofOne],
      ] as const) {
        const passport = gate.app.get(GatePassport);
        const prove = async (secret: string) =>
          passport.prove('api-key', { ...withKey(secret), query: {}, raw: { url: '/', rawHeaders: [] } });
        expect(await prove(own)).toMatchObject({ kind: 'account' });
        await expect(prove(strange)).rejects.toMatchObject({ code: 'credential/unknown' });
      }
    } finally {
      await other.close();
      await elsewhere.close();
    }
  });
});
