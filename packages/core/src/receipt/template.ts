import type { ReceiptPayload } from './payload.js';

/** What does not change from call to call of one route: the start of a template's name. */
export type ReceiptRoute = Pick<ReceiptPayload, 'rail' | 'sku' | 'method'>;

/** Writes the payloads of one route's receipts as canonical JSON, without sorting or checking what does not change. */
export type ReceiptTemplate = (payload: ReceiptPayload) => string;

/**
 * A template for one route and rail (RFC 8785: members in the order of their names). It checks nothing: what it writes
 * is the canonical JSON of a payload that fits the schema, which its user proves by comparing with `canonicalJson` when
 * the template is made and by sample. Strings of a payload are printable ASCII by schema, so that two characters need
 * escapes; the URL comes from the caller, and one with other characters is refused here too: TypeError.
 */
export function receiptTemplate({ rail, sku, method }: ReceiptRoute): ReceiptTemplate {
  const methodPart = `,"method":${quote(method)}`;
  const skuPart = `,"sku":${quote(sku)},"status":`;
  if (rail === 'key') {
    const principalPart = `${methodPart},"principal":`;
    return (payload) =>
      `{"id":"${payload.id}","issuedAt":${payload.issuedAt}${principalPart}${quote(payload.principal)},"rail":"key"${requestPart(payload)}${skuPart}${payload.status},"units":${payload.units},"version":1}`;
  }
  if (rail === 'free') {
    const principalPart = `${methodPart},"principal":`;
    return (payload) =>
      `{"amount":"0","id":"${payload.id}","issuedAt":${payload.issuedAt}${principalPart}${quote(payload.principal)},"rail":"free"${requestPart(payload)}${skuPart}${payload.status},"units":${payload.units},"version":1}`;
  }
  return (payload) => {
    if (payload.rail !== 'x402') throw new TypeError('the payload is of the other rail');
    const { account, amount, asset, decimals, network, nonce, payTo, payer, settlement, transaction } = payload;
    const accountPart = account === undefined ? '' : `"account":${quote(account)},`;
    const transactionPart = transaction === undefined ? '' : `,"transaction":"${transaction}"`;
    return (
      `{${accountPart}"amount":"${amount}","asset":"${asset}","decimals":${decimals},"id":"${payload.id}"` +
      `,"issuedAt":${payload.issuedAt}${methodPart},"network":"${network}","nonce":"${nonce}","payTo":"${payTo}"` +
      `,"payer":"${payer}","principal":"${payload.principal}","rail":"x402"${requestPart(payload)}` +
      `,"settlement":"${settlement}"${skuPart}${payload.status}${transactionPart},"units":${payload.units},"version":1}`
    );
  };
}

function requestPart({ requestDigest, resourceUrl, responseDigest }: ReceiptPayload): string {
  const digest = requestDigest === undefined ? '' : `,"requestDigest":"${requestDigest}"`;
  return `${digest},"resourceUrl":${quote(resourceUrl)},"responseDigest":"${responseDigest}"`;
}

// Printable ASCII without the two characters that JSON escapes.
const plain = /^[ !#-[\]-~]*$/;
const printable = /^[ -~]*$/;

/** A string of printable ASCII as JSON. Any other is outside the schema and must not be signed: TypeError. */
function quote(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  if (!printable.test(text)) throw new TypeError('a receipt holds printable ASCII');
  return JSON.stringify(text);
}
