import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseJwks, verifyReceipt } from '@keyfare/core/receipt';
import { fundedPayer, paymentHeaderV2, signAuthorization, usdcRequirements } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import {
  adminQuery,
  ensureDatabase,
  type PostgresServer,
  startPostgres,
  stopPostgres,
} from '@keyfare/devstack/postgres';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  type Api,
  admin,
  type Billing,
  type Ground,
  openAccount,
  openGround,
  startApi,
  startBilling,
} from './api-process.js';

const route = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

interface Call {
  readonly status: number;
  readonly code: string | undefined;
  readonly receipt: string;
  readonly receiptId: string;
}

/** docs/runbooks/restore.md: back to a moment before calls were served, payments settled and a key revoked. */
describe('a database that is restored to an earlier moment', () => {
  let outer: Ground;
  let ground: Ground;
  let postgres: PostgresServer;
  let folder: string;
  let api: Api;
  let billing: Billing;
  let options: Parameters<typeof startPostgres>[0];
  const place = (name: string): string => join(folder, name);

  const ask = async (headers: Readonly<Record<string, string>>): Promise<Call> => {
    const response = await fetch(api.url + route, { headers });
    const body = (await response.json()) as { code?: string };
    return {
      status: response.status,
      code: body.code,
      receipt: response.headers.get('keyfare-receipt') ?? '',
      receiptId: response.headers.get('receipt-id') ?? '',
    };
  };
  const payment = async (payer: number): Promise<Readonly<Record<string, string>>> => {
    const payload = await signAuthorization({
      payer: await fundedPayer(ground.chain, payer),
      to: ground.payTo,
      value: 1_000n,
    });
    return { 'payment-signature': paymentHeaderV2({ payload, accepted: usdcRequirements(ground.payTo, 1_000n) }) };
  };
  const start = async (): Promise<void> => {
    api = await startApi(ground);
    billing = await startBilling(ground, api);
  };
  const stop = async (): Promise<void> => {
    await Promise.all([api.service.stop(), billing.service.stop()]);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keyfare-restore-'));
    execFileSync('chmod', ['777', folder]);
    options = { dataDir: place('data'), port: await choosePort(), password: randomBytes(12).toString('hex') };
    postgres = await startPostgres(options);
    mkdirSync(place('wal'), { mode: 0o777 });
    execFileSync('chmod', ['777', place('wal')]);
    for (const setting of ["archive_mode = 'on'", `archive_command = 'cp %p ${place('wal')}/%f'`]) {
      await adminQuery(postgres.adminUrl, `alter system set ${setting}`);
    }
    const url = await ensureDatabase(postgres.adminUrl, 'keyfare');
    // The copy of a server that is stopped: what a snapshot of a volume is.
    await stopPostgres(options);
    cpSync(place('data'), place('base'), { recursive: true, preserveTimestamps: true });
    execFileSync('chown', ['-R', `--reference=${place('data')}`, place('base')]);
    postgres = await startPostgres(options);
    outer = await openGround();
    ground = { ...outer, env: { ...outer.env, DATABASE_URL: url } };
    await start();
  }, 120_000);
  afterAll(async () => {
    await stop();
    await outer.close();
    await stopPostgres(options);
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  /** Every write until now is in the archive. */
  async function archive(): Promise<void> {
    const [row] = await adminQuery<{ file: string }>(
      postgres.adminUrl,
      'select pg_walfile_name(pg_switch_wal()) as file',
    );
    while (!readdirSync(place('wal')).includes(row?.file ?? '')) await new Promise((wake) => setTimeout(wake, 50));
  }

  /** As the page says it: the base, and from the archive what was written until the restore point. */
  async function restore(target: string): Promise<void> {
    await stopPostgres(options);
    rmSync(place('data'), { recursive: true });
    cpSync(place('base'), place('data'), { recursive: true, preserveTimestamps: true });
    appendFileSync(
      join(place('data'), 'postgresql.auto.conf'),
      `restore_command = 'cp ${place('wal')}/%f %p'\nrecovery_target_name = '${target}'\nrecovery_target_action = 'promote'\n`,
    );
    writeFileSync(join(place('data'), 'recovery.signal'), '');
    execFileSync('chown', ['-R', `--reference=${place('base')}`, place('data')]);
    execFileSync('chmod', ['700', place('data')]);
    expect(statSync(place('data')).uid).toBe(statSync(place('base')).uid);
    postgres = await startPostgres(options);
    const recovering = async () =>
      (await adminQuery<{ still: boolean }>(postgres.adminUrl, 'select pg_is_in_recovery() as still'))[0]?.still;
    while (await recovering()) await new Promise((wake) => setTimeout(wake, 50));
  }

  it('charges nobody twice, serves on, and shows each payment that it lost as a break that can be resolved', async () => {
    const account = await openAccount(ground, api, { includedUnits: 10, overage: 'reject' });
    const leaked = await openAccount(ground, api, { includedUnits: 10_000, overage: 'reject' });
    const withKey = (secret: string) => ({ authorization: `Bearer ${secret}` });
    const revoke = async (): Promise<void> => {
      await admin(ground, api, `/keys/${leaked.keyId}/revoke`, {});
      // Known to every process within a second, on a machine that has a second.
      while ((await ask(withKey(leaked.secret))).status !== 401) await new Promise((wake) => setTimeout(wake, 50));
    };
    const [firstPayment, lostPayment] = [await payment(1), await payment(2)];
    expect((await ask(withKey(account.secret))).status).toBe(200);
    expect((await ask(firstPayment)).status).toBe(200);
    expect((await billing.reconcile()).breaks).toEqual([]);
    await adminQuery(postgres.adminUrl, `select pg_create_restore_point('before')`);

    // What the restored database will not know of.
    const lostCall = await ask(withKey(account.secret));
    const lostPaid = await ask(lostPayment);
    expect([lostCall.status, lostPaid.status]).toEqual([200, 200]);
    await revoke();
    await archive();
    await stop();
    await restore('before');
    await start();

    // Callers keep what they were given: the receipts verify, though the log no longer has them.
    const jwks = parseJwks(await (await fetch(`${api.url}/.well-known/jwks.json`)).json());
    for (const { receipt, receiptId } of [lostCall, lostPaid]) {
      expect(verifyReceipt(receipt, jwks)).toMatchObject({ ok: true });
      expect((await fetch(`${api.url}/receipts/${receiptId}`)).status).toBe(404);
    }
    // The chain remembers the payment: nothing is served for it, and no money moves, a second time.
    expect(await ask(lostPayment)).toMatchObject({ status: 402, code: 'payment/already-used' });
    expect((await ask(firstPayment)).status).toBe(409);
    // The revocation is lost with the rest: it must be repeated.
    expect((await ask(withKey(leaked.secret))).status).toBe(200);
    await revoke();
    // Both rails serve on, though the chain has used nonces of the settler that the database would give again.
    expect((await ask(withKey(account.secret))).status).toBe(200);
    expect(await ask(await payment(3))).toMatchObject({ status: 200 });

    const { breaks, report } = await billing.reconcile();
    expect(report.unchecked).toEqual([]);
    expect(breaks.map((found) => found.class)).toEqual(['settled-not-recorded']);
    expect(breaks[0]?.keys['nonce']).toBe(nonceOf(lostPayment));
  }, 180_000);
});

function nonceOf(headers: Readonly<Record<string, string>>): string {
  const { payload } = JSON.parse(Buffer.from(headers['payment-signature'] ?? '', 'base64').toString()) as {
    payload: { authorization: { nonce: string } };
  };
  return payload.authorization.nonce;
}
