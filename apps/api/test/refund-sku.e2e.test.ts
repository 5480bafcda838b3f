import { fileURLToPath } from 'node:url';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { adminQuery } from '@keyfare/devstack/postgres';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Ground, openGround, startApi } from './api-process.js';
import { killPoints, startVictim } from './kill-points.js';
import { payUntilAnswered } from './payments-in-hand.js';

const main = fileURLToPath(new URL('flows-process.js', import.meta.url));
const env = { PUBLIC_URL: 'http://api.test', REPLICA_TTL_MS: '3000', LOG_LEVEL: 'warn' };

let ground: Ground;
let peer: Api;
let payer: TestPayer;

beforeAll(async () => {
  ground = await openGround();
  peer = await startApi(ground, env, main);
  payer = await fundedPayer(ground.chain, 1);
}, 60_000);
afterAll(async () => {
  await peer.service.stop();
  await ground.close();
}, 60_000);

/** What the refund-due entry of a payment says is owed for. */
async function refundOf(nonce: string | undefined): Promise<readonly object[]> {
  return adminQuery(
    ground.database.url,
    `select says ->> 'sku' as sku, says ->> 'reason' as reason
      from (select convert_from(payload, 'UTF8')::jsonb as says from keyfare.entry where kind = 'refund-due') e
      where says ->> 'nonce' = $1`,
    [nonce],
  );
}

// Broadcast, but not noted: the peer learns of the end. Noted: the peer finds a payment that moved and was not served.
const settledThenDead = new Set(['before it is noted that it moved', 'after it was noted that it moved']);

it.each(
  killPoints
    .filter(({ flow, name }) => flow === 'upfront' && settledThenDead.has(name))
    .map((point) => [point.name, point] as const),
)(
  'a payment settled before its call, whose process died %s, is owed back by an entry of another process that names what was sold',
  async (_name, point) => {
    const victim = await startVictim(ground, point, { main, env });
    try {
      const answered = payUntilAnswered([victim.api.url, peer.url], { flow: 'upfront', payer, payTo: ground.payTo });
      await victim.died;
      const { id, nonce } = await answered;
      expect(id).toBeUndefined();
      expect(await refundOf(nonce)).toEqual([{ sku: 'before', reason: expect.any(String) }]);
    } finally {
      await victim.close();
    }
  },
  120_000,
);
