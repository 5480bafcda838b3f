import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { environmentOf, instructionsOf } from '@keyfare/fixtures/image';
import {
  findManifest,
  manifestFaults,
  podEnvironment,
  podOf,
  readManifests,
  secretFiles,
} from '@keyfare/fixtures/kubernetes';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { apiEnvironment, readApiConfig } from '../src/config.js';

const api = findManifest('Deployment', 'api');
const [container] = podOf(api).containers;

/** What the API's container sees, with good secrets in the place of their files. */
function environment(): Record<string, string> {
  const secrets: Record<string, string> = {
    DATABASE_URL: `postgres://keyfare_api:${randomBytes(24).toString('base64url')}@postgres:5432/keyfare`,
    RPC_URL: 'https://node.example.com/',
    SETTLER_PRIVATE_KEY: `0x${randomBytes(32).toString('hex')}`,
    RECEIPT_SIGNING_KEY: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    API_KEY_PEPPERS: `p1:${randomBytes(32).toString('base64url')}`,
  };
  const given = { ...environmentOf('api'), ...podEnvironment(api) };
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) =>
      name.endsWith('_FILE') ? [name.slice(0, -5), secrets[name.slice(0, -5)] ?? ''] : [name, value],
    ),
  );
}

/** Nothing is deployed here: Kubernetes' schema and the programs' own settings judge the manifests. */
describe('deploy/kubernetes', () => {
  it('is valid by the schema of Kubernetes, without a field that it does not know', () => {
    expect(manifestFaults(readManifests())).toEqual([]);
  }, 60_000);

  it('would be told of a wrong value, a missing field and an unknown one', () => {
    const text = JSON.stringify(api);
    const copies = [text.replace('"replicas":2', '"replicas":"2"'), text.replace('"replicas"', '"replcas"')];
    const faults = manifestFaults([
      ...copies.map((copy) => JSON.parse(copy) as typeof api),
      JSON.parse(text.replace('"selector"', '"template"')) as typeof api,
    ]).join('\n');
    expect(faults).toMatch(/data\/spec\/replicas must be integer/);
    expect(faults).toMatch(/data\/spec must have required property selector/);
    expect(faults).toMatch(/known properties, .*replcas/);
  }, 60_000);

  it('gives the API no setting that it does not have, and every one that it must have', () => {
    const known = Object.keys(apiEnvironment.shape);
    const named = Object.keys(podEnvironment(api)).map((name) => name.replace(/_FILE$/, ''));
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
    const payTo = `0x${randomBytes(20).toString('hex')}`;
    expect(() => readApiConfig({ ...environment(), PAY_TO: payTo })).not.toThrow();
  });

  it('lets no copy start that still has the payee of the example', () => {
    expect(() => readApiConfig(environment())).toThrow(/PAY_TO is an address that nobody has the key of/);
  });

  it('is reached at the port that the image listens on, and watched at another one', () => {
    const ports = Object.fromEntries((container?.ports ?? []).map(({ name, containerPort }) => [name, containerPort]));
    expect(ports).toEqual({
      http: Number(environmentOf('api')['PORT']),
      watch: Number(podEnvironment(api)['WATCH_PORT']),
    });
    expect(environmentOf('api')['HOST']).toBe('0.0.0.0');
  });

  it('gives calls the time that they may take before the process is killed', () => {
    const settings = apiEnvironment.pick({ HANDLER_TIMEOUT_MS: true, SETTLE_TIMEOUT_MS: true }).parse(environment());
    const longestMs = settings.HANDLER_TIMEOUT_MS + settings.SETTLE_TIMEOUT_MS;
    const beforeSeconds = container?.lifecycle?.preStop.sleep.seconds ?? 0;
    // And ten seconds to finish what no caller waits for: closing takes five of them at most when the database is away.
    expect(podOf(api).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(beforeSeconds + longestMs / 1_000 + 10);
  });
});

describe.each(['Deployment api', 'Deployment billing', 'Job migrate'])('%s', (what) => {
  const [kind = '', name = ''] = what.split(' ');
  const workload = findManifest(kind, name);

  it('reads secrets from files that are mounted, and that nobody else may read', () => {
    const files = secretFiles(workload);
    const named = Object.entries(podEnvironment(workload)).filter(([setting]) => setting.endsWith('_FILE'));
    expect(named.length).toBeGreaterThan(0);
    expect(named.map(([, path]) => path).filter((path) => !files.has(path))).toEqual([]);
    expect(files.size).toBe(named.length);
    expect([...new Set(files.values())]).toEqual([0o400]);
  });

  it('runs as the user of the image, on a root file system that nothing can write to', () => {
    const uid = instructionsOf(name).find((instruction) => instruction.getKeyword() === 'USER');
    expect(uid?.getArguments()[0]?.getValue()).toBe('1000:1000');
    expect(podOf(workload)).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        fsGroup: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          image: `keyfare-${name}`,
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    });
  });

  it('asks only routes that there are for its health', () => {
    const [{ startupProbe, livenessProbe, readinessProbe } = {}] = podOf(workload).containers;
    const probes = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet);
    const expected = ['/healthz', '/healthz', '/readyz'].map((path) => ({ path, port: 'http' }));
    expect(probes).toEqual(kind === 'Job' ? [undefined, undefined, undefined] : expected);
  });
});
