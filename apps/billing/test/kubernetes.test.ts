import { randomBytes } from 'node:crypto';
import { environmentOf } from '@keyfare/fixtures/image';
import { findManifest, podEnvironment, podOf } from '@keyfare/fixtures/kubernetes';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { billingEnvironment, readBillingConfig } from '../src/config.js';

const billing = findManifest('Deployment', 'billing');
const given = podEnvironment(billing);

describe('billing in deploy/kubernetes', () => {
  it('gets no setting that it does not have, and every one that it must have', () => {
    const known = Object.keys(billingEnvironment.shape);
    const plain = Object.entries(given).filter(([name]) => !name.endsWith('_FILE'));
    const files = Object.keys(given).filter((name) => name.endsWith('_FILE'));
    const named = [...plain.map(([name]) => name), ...files.map((name) => name.slice(0, -5))];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
    const database = `postgres://keyfare_billing:${randomBytes(24).toString('base64url')}@postgres:5432/keyfare`;
    const secrets = { DATABASE_URL: database, FEED_DATABASE_URL: database, RPC_URL: 'https://node.example.com/' };
    const env = { ...environmentOf('billing'), ...Object.fromEntries(plain) };
    const payTo = `0x${randomBytes(20).toString('hex')}`;
    expect(files.map((name) => name.slice(0, -5)).sort()).toEqual(Object.keys(secrets).sort());
    expect(() => readBillingConfig({ ...env, ...secrets, PAY_TO: payTo })).not.toThrow();
    expect(() => readBillingConfig({ ...env, ...secrets })).toThrow(/PAY_TO is an address that nobody has the key of/);
  });

  it('is reached at the port that the image listens on, and watched at another one', () => {
    const [container] = podOf(billing).containers;
    const ports = Object.fromEntries((container?.ports ?? []).map(({ name, containerPort }) => [name, containerPort]));
    expect(ports).toEqual({ http: Number(environmentOf('billing')['PORT']), watch: Number(given['WATCH_PORT']) });
  });
});
