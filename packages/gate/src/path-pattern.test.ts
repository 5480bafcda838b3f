import { expect, test } from '@keyfare/jest-preset/globals';
import { fastify } from 'fastify';
import { pathOf, toLenientPattern } from './path-pattern.js';

test('the lenient pattern takes every path that the router of Fastify takes to the route', async () => {
  const routes = [
    '/a',
    '/b/:id',
    '/c/:id.json',
    '/d/:x-:y',
    '/e/:n(^\\d+$)',
    '/f/:opt?',
    '/g/*',
    '/h/:a/k/:b',
    '/i.j',
    '/n::v',
  ];
  const paths = [
    '/a',
    '/b/1',
    '/b/%31',
    '/b/a%2fb',
    '/c/x.json',
    '/d/1-2',
    '/e/12',
    '/f',
    '/f/1',
    '/g/',
    '/g/x/y',
    '/h/1/k/2',
    '/i.j',
    '/A',
    '/B/1',
    '/a/',
    '/b/1/',
    '/n:v',
    '/ixj',
    '/e/x',
    '/c/x.xml',
    '/',
    '/h/1/k',
  ];
  for (const routerOptions of [{}, { caseSensitive: false, ignoreTrailingSlash: true }]) {
    const app = fastify({ routerOptions });
    for (const url of routes) app.get(url, (request, reply) => reply.send(request.routeOptions.url));
    const taken = await Promise.all(paths.map(async (url) => ({ url, answer: await app.inject(url) })));
    const found = taken.filter(({ answer }) => answer.statusCode === 200);
    expect(found.length).toBeGreaterThanOrEqual(routes.length);
    for (const { url, answer } of found) {
      expect([url, answer.body, toLenientPattern(answer.body).test(pathOf(url))]).toEqual([url, answer.body, true]);
    }
    await app.close();
  }
});

test('the lenient pattern takes no path of another folder', () => {
  for (const path of ['/', '/ab', '/x/a', '/b', '/b/1/2', '/internal', '/ixj']) {
    for (const url of ['/a', '/b/:id', '/i.j'])
      expect([url, path, toLenientPattern(url).test(path)]).toEqual([url, path, false]);
  }
});
