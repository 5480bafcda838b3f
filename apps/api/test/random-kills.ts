import { parseJwks, verifyReceipt } from '@keyfare/core/receipt';
import { type ExactPayload, fundedPayer, signAuthorization } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { adminQuery } from '@keyfare/devstack/postgres';
import { usdcAbi, usdcAddress } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { createPublicClient, http } from 'viem';
import { type Api, type Billing, type Ground, openAccount, openGround, startApi, startBilling } from './api-process.js';
import { CrashLoad } from './crash-load.js';
import { countIndependently, type Places } from './independent-count.js';

const price = 1_000n;
const payersCount = 6;
const path = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

/** Kills an API process so many times, at any moment, and compares all that it left. */
export function describeKills(kills: number): void {
  describe(`an API process that is killed ${kills} times under load of both rails`, () => {
    let ground: Ground;
    let api: Api;
    let billing: Billing;

    beforeAll(async () => {
      ground = await openGround();
      const port = String(await choosePort());
      // A short life without a sign of life, so that what one death leaves is taken over before the next.
      api = await startApi(ground, { PORT: port, REPLICA_TTL_MS: '1000', LOG_LEVEL: 'warn' });
      billing = await startBilling(ground, api);
    }, 60_000);
    afterAll(async () => {
      await api.service.stop();
      await billing.service.stop();
      await ground.close();
    }, 60_000);

    async function* payments(index: number): AsyncGenerator<ExactPayload> {
      const payer = await fundedPayer(ground.chain, index);
      for (;;) yield await signAuthorization({ payer, to: ground.payTo, value: price });
    }

    /** Kills in the middle of calls of both rails, and starts again at the same address. */
    async function killAndRestart(load: CrashLoad): Promise<void> {
      const before = { key: load.count('key'), x402: load.count('x402') };
      const deadline = Date.now() + 30_000;
      while (load.count('key') < before.key + 20 || load.count('x402') < before.x402 + 3) {
        if (Date.now() > deadline) throw new Error(`no progress: ${api.log().slice(-3_000)}`);
        await tick();
      }
      await new Promise((wake) => setTimeout(wake, Math.random() * 60));
      while (load.inFlight.key === 0 || load.inFlight.x402 === 0) await tick();
      process.kill(api.service.pid, 'SIGKILL');
      expect(await api.service.ended).toEqual({ code: null, signal: 'SIGKILL' });
      api = await startApi(ground, { PORT: new URL(api.url).port, REPLICA_TTL_MS: '1000', LOG_LEVEL: 'warn' });
    }

    it('loses nothing that a caller was served, counts nothing twice, settles no payment twice, and billing finds no break', async () => {
      const invoiced = await openAccount(ground, api, {
        includedUnits: 100,
        overage: 'invoice',
        overagePrice: '$0.0005',
      });
      const limited = await openAccount(ground, api, { includedUnits: 1_000_000, overage: 'reject' });
      const load = new CrashLoad(`${api.url}${path}`, ground.payTo, price);
      const callers = [
        ...[invoiced, limited, limited, invoiced].map(({ secret }) => load.callByKey(secret)),
        ...Array.from({ length: payersCount }, (_, index) =>
          load.payForCalls(payments(index + 1), index % 3 === 0 ? 1 : 2),
        ),
      ];
      for (let kill = 0; kill < kills; kill += 1) await killAndRestart(load);
      load.stop();
      await Promise.all(callers);
      expect(load.odd).toEqual([]);
      expect(load.count('key')).toBeGreaterThanOrEqual(kills * 20);
      expect(load.count('x402')).toBeGreaterThanOrEqual(kills * 3);

      await compareReceipts(load);
      await compareMeter(load, [invoiced.account, limited.account]);
      await compareChain(load);
      await compareBooks();
      await countWithoutTheProduct(load);
    }, 300_000);

    /** Each receipt in a caller's hands verifies, and stands in usage, entries and receipts, once. */
    async function compareReceipts(load: CrashLoad): Promise<void> {
      const jwks = parseJwks(await (await fetch(`${api.url}/.well-known/jwks.json`)).json());
      const rows = await adminQuery<{ id: string; jws: string; rail: string }>(
        ground.database.url,
        `select id, jws, rail from (select *, keyfare.jws(kind, kid, payload, signature) as jws from keyfare.entry) e
        where kind = 'call' and digest = sha256(jws::bytea)`,
      );
      const stored = new Map(rows.map((row) => [row.id, row]));
      expect(new Set(load.served.map(({ receiptId }) => receiptId)).size).toBe(load.served.length);
      for (const { receiptId, jws, nonce } of load.served) {
        expect(stored.get(receiptId)).toEqual({ id: receiptId, jws, rail: nonce === undefined ? 'key' : 'x402' });
        expect(verifyReceipt(jws, jwks).ok).toBe(true);
      }
      // What nobody holds a receipt of is what was answered into a broken connection.
      const counts = await adminQuery<{ usage: number; entries: number; receipts: number }>(
        ground.database.url,
        `select (select count(*)::int from keyfare.entry where units is not null) as usage,
        (select count(*)::int from keyfare.entry where kind = 'call') as entries,
        (select count(signature)::int from keyfare.entry where kind = 'call') as receipts`,
      );
      expect(counts).toEqual([{ usage: rows.length, entries: rows.length, receipts: rows.length }]);
      const byKey = rows.filter(({ rail }) => rail === 'key').length;
      expect(byKey).toBeGreaterThanOrEqual(load.count('key'));
      expect(byKey).toBeLessThanOrEqual(load.count('key') + load.lostByKey);
      expect(rows.length - byKey).toBe(load.count('x402'));
    }

    /** The allowances say what the usage rows add up to, and no dead process holds units of them. */
    async function compareMeter(load: CrashLoad, accounts: readonly string[]): Promise<void> {
      await api.service.stop();
      const rows = await adminQuery(
        ground.database.url,
        `select a.account_id, a.used::int, a.leased::int,
        (select sum(units)::int from keyfare.entry u where u.rail = 'key' and u.principal = a.account_id) as usage
        from keyfare.allowance a order by a.account_id`,
      );
      expect(rows).toHaveLength(accounts.length);
      for (const row of rows) expect(row).toMatchObject({ leased: 0, used: row['usage'] });
      expect(load.lostByKey).toBeLessThanOrEqual(kills * 8);
      api = await startApi(ground, { PORT: new URL(api.url).port, LOG_LEVEL: 'warn' });
    }

    /** Each payment that was served moved its money once, and no other money moved. */
    async function compareChain(load: CrashLoad): Promise<void> {
      const client = createPublicClient({ transport: http(ground.chain.rpcUrl) });
      const everywhere = { address: usdcAddress, abi: usdcAbi, fromBlock: 0n } as const;
      const used = await client.getContractEvents({ ...everywhere, eventName: 'AuthorizationUsed' });
      const moved = await client.getContractEvents({
        ...everywhere,
        eventName: 'Transfer',
        args: { to: ground.payTo },
      });
      const nonces = load.served.flatMap(({ nonce }) => (nonce === undefined ? [] : [nonce]));
      expect(used).toHaveLength(nonces.length);
      expect(new Set(used.map(({ args }) => args.nonce))).toEqual(new Set(nonces));
      expect(moved.map(({ args }) => args.value)).toEqual(nonces.map(() => price));
      const states = await adminQuery(
        ground.database.url,
        `select case state when 'final' then 'settled' else state end as state, count(*)::int from keyfare.payment group by 1`,
      );
      expect(states).toEqual([{ state: 'settled', count: nonces.length }]);
    }

    async function countWithoutTheProduct(load: CrashLoad): Promise<void> {
      const jwks = (await (await fetch(`${api.url}/.well-known/jwks.json`)).json()) as Places['jwks'];
      await api.service.stop();
      const { url: databaseUrl } = ground.database;
      const places = { databaseUrl, rpcUrl: ground.chain.rpcUrl, asset: usdcAddress, payTo: ground.payTo, jwks };
      const held = load.served.map(({ receiptId: id, ...rest }) => ({ ...rest, id }));
      expect(await countIndependently(places, held)).toEqual([]);
    }

    async function compareBooks(): Promise<void> {
      const run = await billing.reconcile();
      expect(run.breaks).toEqual([]);
      expect(run.report).toMatchObject({ unchecked: [], entries: { complete: true, bad: 0 } });
      const rails = await adminQuery(
        ground.database.url,
        `select rail, count(*)::int from keyfare.entry where kind = 'call' group by rail order by rail`,
      );
      expect(run.report.calls.map(({ rail, count }) => ({ rail, count }))).toEqual(rails);
    }
  });
}

async function tick(): Promise<void> {
  await new Promise((wake) => setTimeout(wake, 2));
}
