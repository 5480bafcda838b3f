import type { SoldRoute } from '../sold-routes.js';

/** The summary of an operation, by method and path. */
type SummaryOf = (route: SoldRoute) => string | undefined;

interface Service {
  readonly publicUrl: string;
  readonly title: string;
  readonly description: string;
}

/**
 * `/llms.txt` in the shape of llmstxt.org: a title, what the service is, and links in lists, for readers with little
 * room.
 */
export function writeLlmsText(
  sold: readonly SoldRoute[],
  { publicUrl, title, description }: Service,
  summaryOf: SummaryOf,
): string {
  const routes = sold.map((route) => {
    const { method, path, price, currency, products } = route;
    const sign = currency === 'USD' ? '$' : '€';
    const cost = price.min === price.max ? `${sign}${price.max}` : `${sign}${price.min} to ${sign}${price.max}`;
    const skus = products.map(({ sku }) => sku).join(', ');
    return `- [${method} ${path}](${publicUrl}${path}): ${oneLine(summaryOf(route) ?? skus)}. ${cost} a call (${skus}).`;
  });
  return [
    `# ${oneLine(title)}`,
    `> ${oneLine(description)}`,
    [
      'Every priced route takes one of two: an API key (`Authorization: Bearer …` or `X-API-Key`), or a payment of x402',
      `(versions 1 and 2, scheme \`exact\`, ${tokensOf(sold)}). Without either, the answer is a 402 with the exact price of the request in its`,
      '`PAYMENT-REQUIRED` header and its body; sign one of its offers, and send the same request again with it. An answer of 400',
      'or more costs nothing. Each answer carries a signed receipt in `Keyfare-Receipt`.',
    ].join('\n'),
    `## Priced routes\n\n${routes.join('\n')}`,
    [
      '## Documents',
      '',
      `- [OpenAPI](${publicUrl}/openapi.json): every route with its schemas, examples and price.`,
      `- [x402](${publicUrl}/.well-known/x402): all offers in one list.`,
      `- [Receipt keys](${publicUrl}/.well-known/jwks.json): what receipts verify against.`,
    ].join('\n'),
    '',
  ].join('\n\n');
}

/** What any route is paid in; USDC where nothing is sold yet. */
function tokensOf(sold: readonly SoldRoute[]): string {
  const symbols = new Set(
    sold.flatMap(({ products }) => products.flatMap(({ accepts }) => accepts.map(({ symbol }) => symbol))),
  );
  return [...symbols].toSorted((a, b) => Number(a !== 'USDC') - Number(b !== 'USDC')).join(' or ') || 'USDC';
}

/** What a host writes must not begin a heading or a list of its own. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().replace(/\.$/, '');
}
