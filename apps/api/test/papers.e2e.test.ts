import { fileURLToPath } from 'node:url';
import { type Call, callsOf, readBlocks } from '@keyfare/docs/blocks';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Billing, type Ground, openGround, startApi, startBilling } from './api-process.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** Routes that both programs have and that no document describes. */
const undescribed = new Set(['/openapi.json', '/healthz', '/readyz', '/metrics']);

type Paths = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

describe('the curl lines of the papers', () => {
  let ground: Ground;
  let api: Api;
  let billing: Billing;

  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground);
    billing = await startBilling(ground, api);
  }, 60_000);
  afterAll(async () => {
    await billing.service.stop();
    await api.service.stop();
    await ground.close();
  }, 30_000);

  it('ask for routes that the API and billing have, by methods that these take', async () => {
    const documents: Readonly<Record<string, Paths>> = {
      API: await pathsOf(api.url),
      BILLING: await pathsOf(billing.url),
    };
    const calls = readBlocks(root)
      .filter(({ language, unchecked }) => ['sh', 'bash'].includes(language) && unchecked === undefined)
      .flatMap((block) => callsOf(block).map((call) => ({ at: `${block.paper}:${block.line}`, call })));
    expect(calls.length).toBeGreaterThan(20);
    expect(new Set(calls.map(({ call }) => call.program))).toEqual(new Set(['API', 'BILLING']));
    const unknown = calls.filter(({ call }) => !isKnown(documents[call.program], call));
    expect(unknown.map(({ at, call }) => `${at}: ${call.method} ${call.path}`)).toEqual([]);
    // What is checked above can fail.
    const wrong = { method: 'POST', program: 'API', path: '/v1/usage', body: undefined };
    expect(
      [wrong, { ...wrong, method: 'GET', path: '/v1/none' }].filter((call) => isKnown(documents['API'], call)),
    ).toEqual([]);
  });
});

async function pathsOf(url: string): Promise<Paths> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { readonly paths: Paths };
  return document.paths;
}

function isKnown(paths: Paths | undefined, { method, path }: Call): boolean {
  if (undescribed.has(path)) return method === 'GET';
  return Object.entries(paths ?? {}).some(
    ([pattern, operations]) =>
      method.toLowerCase() in operations && new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
}
