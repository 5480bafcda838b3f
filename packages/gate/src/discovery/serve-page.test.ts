import { expect, test } from '@keyfare/jest-preset/globals';
import { fastify } from 'fastify';
import { servePage } from './serve-page.js';

const many = 5;

interface Writing {
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
}

/** A page that is being written until the test ends it, and the answers of many who ask for it meanwhile. */
async function openPage() {
  const app = fastify();
  const writings: Writing[] = [];
  let arrived = 0;
  let onAll: () => void = () => undefined;
  // `done` runs the handler.
  app.addHook('preHandler', (_request, _reply, done) => {
    done();
    arrived += 1;
    if (arrived % many === 0) onAll();
  });
  const text = async (): Promise<string> => {
    return new Promise((resolve, reject) => writings.push({ resolve, reject }));
  };
  servePage(app, { path: '/page', mimeType: 'text/plain; charset=utf-8', text });
  await app.ready();
  const askTogether = async (end: (writing: Writing | undefined) => void) => {
    const all = new Promise<void>((resolve) => {
      onAll = resolve;
    });
    const answers = Promise.all(Array.from({ length: many }, async () => app.inject('/page')));
    await all;
    end(writings.at(-1));
    return (await answers).map(({ statusCode }) => statusCode);
  };
  return { app, writings, askTogether };
}

test('a page is written once for all who ask for it at the same time, and again only where that failed', async () => {
  const { app, writings, askTogether } = await openPage();
  const failed = await askTogether((writing) => writing?.reject(new Error('away')));
  expect(failed).toEqual(Array.from({ length: many }, () => 500));
  expect(writings).toHaveLength(1);
  const written = await askTogether((writing) => writing?.resolve('all'));
  expect(written).toEqual(Array.from({ length: many }, () => 200));
  expect(writings).toHaveLength(2);
  await app.close();
});
