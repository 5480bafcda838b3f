import { createHash } from 'node:crypto';
import { formatMoney, money, signOf, type TokenCode } from '@keyfare/core/money';
import type { Problem } from '@keyfare/core/problem';
import { findNetwork, findToken, type OfferV1 } from '@keyfare/core/x402';
import type { RefusalPage } from '../request-slots.js';

interface Service {
  readonly title: string;
  readonly description: string;
  /** The path of the public URL. */
  readonly base: string;
}

const style = `
:root { color-scheme: light dark; --line: #0003; --soft: #0000000d; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --line: #fff4; --soft: #ffffff14; --link: #8ab4f8; } }
* { box-sizing: border-box; }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; }
a { color: var(--link); }
code, pre { font: .9rem/1.5 ui-monospace, monospace; }
code { overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .4rem; padding: .8rem; overflow-x: auto; }
.price { font-size: 1.25rem; font-weight: 600; }
ul { list-style: none; margin: .5rem 0; padding: 0; }
li { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .6rem .8rem; overflow-wrap: anywhere; }
.links li { border: 0; margin: 0; padding: .15rem 0; }
`;

/** Nothing is fetched, run or framed; the one style is named by its digest (CSP 3 §2.3.1). */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Whether a caller would rather have HTML than JSON (RFC 9110 §12.5.1). It must name HTML: who takes anything is a
 * program.
 */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined || !/text\/html/i.test(accept)) return false;
  const ranges = new Map(accept.toLowerCase().split(',').map(readRange));
  const html = ranges.get('text/html') ?? 0;
  const json = ranges.get('application/problem+json') ?? ranges.get('application/json');
  return html > (json ?? ranges.get('application/*') ?? ranges.get('*/*') ?? 0);
}

function readRange(range: string): readonly [string, number] {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return [type, Number.parseFloat(quality) || 0];
}

/** The page that a person finds at a priced URL: what it costs, and how to call it. Works without scripts. */
export function writePaymentPage(problem: Problem, { title, description, base }: Service): RefusalPage {
  const offers = problem.extensions['accepts'] as readonly OfferV1[];
  const url = offers[0]?.resource ?? '';
  const sku = offers[0]?.description ?? '';
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Payment required – ${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>This call has a price</h1>
<p class="price">${escape(priceOf(offers))}</p>
<p><code>${escape(url)}</code> sells <code>${escape(sku)}</code> of ${escape(title)}. ${escape(description)}</p>
<p>${escape(problem.detail)}</p>
<h2>With an API key</h2>
<pre>${escape(`curl -H "Authorization: Bearer $API_KEY" '${url.replaceAll("'", '%27')}'`)}</pre>
<h2>With a wallet, and no account</h2>
<p>Any client of x402 (version 1 or 2) signs one of these offers and calls again:</p>
<ul>${offers.map(showOffer).join('')}</ul>
<pre>${escape(clientExample(url))}</pre>
<h2>Documents</h2>
<ul class="links">
<li><a href="${escape(base)}/openapi.json">OpenAPI</a>, with every route and its price</li>
<li><a href="${escape(base)}/llms.txt">llms.txt</a>, the same in short</li>
<li><a href="${escape(base)}/problems/${problem.code}">What this answer means</a>: 402 <code>${problem.code}</code></li>
</ul>
</main>
</body>
</html>
`;
  const headers = {
    'content-security-policy': policy,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
  return { html, headers };
}

function codeOf({ network: name, asset }: OfferV1): TokenCode {
  const network = findNetwork(name);
  return (network && findToken(network, asset)?.symbol) ?? 'USDC';
}

function amountOf(offer: OfferV1): string {
  const code = codeOf(offer);
  const sign = code === 'USDC' ? '$' : signOf[code];
  return `${sign}${formatMoney(money(code, BigInt(offer.maxAmountRequired))).replace(/(\.\d\d\d*?)0+$/, '$1')}`;
}

function priceOf(offers: readonly OfferV1[]): string {
  const prices = [...new Set(offers.map(amountOf))];
  return `${prices.join(' or ')} a call`;
}

function showOffer(offer: OfferV1): string {
  const { network, payTo } = offer;
  return `<li>${amountOf(offer)} in ${codeOf(offer)} on ${escape(network)}, to <code>${escape(payTo)}</code></li>`;
}

function clientExample(url: string): string {
  return `import { ExactEvmScheme } from '@x402/evm';
import { wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { privateKeyToAccount } from 'viem/accounts';

const wallet = privateKeyToAccount(process.env.PRIVATE_KEY);
const client = new x402Client().register('eip155:*', new ExactEvmScheme(wallet));
const answer = await wrapFetchWithPayment(fetch, client)(${JSON.stringify(url)});
console.log(answer.status, await answer.text());`;
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => escapes[character] ?? '');
}
