import { Problem } from '@keyfare/core/problem';
import { expect, test } from '@keyfare/jest-preset/globals';
import { prefersHtml, writePaymentPage } from './payment-page.js';

test.each([
  ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
  ['who wants nothing else', 'text/html', true],
  ['who says it in capitals (RFC 9110 §8.3.1)', 'Text/HTML', true],
  ['a program that takes anything', '*/*', false],
  ['who says nothing', undefined, false],
  ['who would rather have JSON', 'text/html;q=0.5, application/json', false],
  ['who would rather have problems', 'text/html;q=0.5, application/problem+json', false],
  ['who takes both alike', 'application/json, text/plain, text/html', false],
  ['who refuses HTML', 'text/html;q=0, */*', false],
  ['who writes nonsense', 'text/html;q=x;;,,', false],
])('%s is given a page: %s, %s', (_who, accept, expected) => {
  expect(prefersHtml(accept)).toBe(expected);
});

test('nothing that a caller or a host writes becomes markup in the page', () => {
  const evil = `<script>"&'`;
  const offer = {
    network: evil,
    payTo: evil,
    resource: `https://api.test/${evil}`,
    description: evil,
    maxAmountRequired: '1500',
  };
  const problem = new Problem('payment/required', evil, { extensions: { accepts: [offer] } });
  const { html } = writePaymentPage(problem, { title: evil, description: evil, base: evil });
  expect(html).not.toContain('<script');
  expect(html).not.toContain(`"&'`);
  expect(html).toContain('$0.0015 a call');
  expect(html.match(/&lt;script&gt;/g)?.length).toBeGreaterThanOrEqual(9);
});
