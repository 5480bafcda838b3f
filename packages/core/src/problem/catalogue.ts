import type { CatalogueRow } from './catalogue-row.js';
import { invoiceProblems } from './invoice-problems.js';
import { operatorProblems } from './operator-problems.js';

/**
 * Every refusal that Keyfare knows: one row for each code, `room/what-is-wrong`. A code is for ever: reword the title,
 * never rename the code. Each row is also a page, `docs/problems/<code>.md`.
 */
export const catalogue = {
  'request/malformed': {
    status: 400,
    title: 'The request cannot be read',
    remedy: 'Send a body that is well-formed and encoded as its Content-Type says.',
  },
  'request/invalid': {
    status: 400,
    title: 'The request does not fit its schema',
    remedy: 'Correct the members listed in `errors`, then send the request again. It cost nothing.',
  },
  'request/not-found': {
    status: 404,
    title: 'There is nothing at this address',
    remedy: 'Check the path against the OpenAPI document at `/openapi.json`.',
  },
  'request/method-not-allowed': {
    status: 405,
    title: 'This address does not take that method',
    remedy: 'Use one of the methods listed in the `Allow` header.',
  },
  'request/timeout': {
    status: 408,
    title: 'The request did not arrive in time',
    remedy: 'Send the whole request, head and body, within a minute of opening it. It cost nothing.',
  },
  'request/too-large': {
    status: 413,
    title: 'The request body is too large',
    remedy: 'Send a smaller body, or split the work over several requests.',
  },
  'request/uri-too-long': {
    status: 414,
    title: 'The URL is too long',
    remedy: 'Shorten the query string to keep the URL under 1,900 characters, or send the data in a request body.',
  },
  'request/unsupported-media-type': {
    status: 415,
    title: 'The body is of a type that is not read here',
    remedy: 'Send the body as `application/json`, or as the type that the OpenAPI document names for this route.',
  },
  'request/header-too-large': {
    status: 431,
    title: 'A request header is too large',
    remedy: 'Send fewer or shorter headers. Check that a payment or key header was not sent twice.',
  },
  'credential/malformed': {
    status: 401,
    title: 'The API key is not well-formed',
    remedy: 'Copy the whole key again: it starts with `kf_` and its last part is a checksum over the rest.',
  },
  'credential/unknown': {
    status: 401,
    title: 'The API key is not known',
    remedy: 'Check that the key belongs to this environment, or ask the operator for a new one.',
  },
  'credential/revoked': {
    status: 401,
    title: 'The API key was revoked',
    remedy: 'Use the secret that replaced it, or ask the operator for a new key.',
  },
  'credential/expired': {
    status: 401,
    title: 'The API key has expired',
    remedy: 'Use the secret that replaced it, or ask the operator for a new key.',
  },
  'credential/ambiguous': {
    status: 400,
    title: 'The request presents two different API keys',
    remedy: 'Send one key, in one header.',
  },
  'credential/in-query': {
    status: 400,
    title: 'The API key is in the query string',
    remedy:
      'Send the key in the `Authorization` header. Queries are written to logs: consider this key leaked, and rotate it.',
  },
  'credential/required': {
    status: 401,
    title: 'A credential is required',
    remedy: 'Send an API key in the `Authorization` header.',
  },
  'policy/forbidden': {
    status: 403,
    title: 'This credential may not do that',
    remedy: 'Use a key that has the scope named in `detail`, or ask the operator to grant it.',
  },
  'policy/suspended': {
    status: 403,
    title: 'The account is suspended',
    remedy: 'Contact the operator. Retrying does not help.',
  },
  'tariff/unknown-choice': {
    status: 400,
    title: 'The request chooses nothing that is sold here',
    remedy: 'Choose one of the values that `detail` or the OpenAPI document names, once. It cost nothing.',
  },
  'tariff/failed': {
    status: 500,
    title: 'The price of this request could not be told',
    detail: 'The price of this request could not be told. It cost nothing.',
    remedy: 'Do not pay, and do not retry at once: the operator has to mend the price of this route. It cost nothing.',
  },
  'meter/exhausted': {
    status: 429,
    title: 'The allowance of this period is used up',
    remedy: 'Wait for the reset time in `Retry-After`, or move to a plan with more units.',
  },
  'meter/contended': {
    status: 429,
    title: 'The last units of the allowance are held by calls under way',
    remedy:
      'Send the same request again after `Retry-After`: units that those calls do not use are free again within seconds. It cost nothing.',
  },
  'payment/required': {
    status: 402,
    title: 'Payment is required',
    remedy:
      'Sign one of the offers in the `PAYMENT-REQUIRED` header (x402 v2) or in `accepts` (v1) and send the request again with the payment, or send an API key.',
  },
  'payment/malformed': {
    status: 400,
    title: 'The payment header cannot be read',
    remedy:
      'Send base64 of the JSON payment payload of x402: in `PAYMENT-SIGNATURE` for version 2, in `X-PAYMENT` for version 1.',
  },
  'payment/unsupported-version': {
    status: 400,
    title: 'The payment is of an x402 version that is not taken here',
    remedy: 'Send version 2 in `PAYMENT-SIGNATURE`, or version 1 in `X-PAYMENT`.',
  },
  'payment/unsupported': {
    status: 402,
    title: 'The payment uses a scheme, network or asset that is not taken here',
    remedy: 'Sign one of the offers that came with this answer.',
  },
  'payment/mismatched': {
    status: 402,
    title: 'The payment does not match the price of this request',
    remedy: 'Sign the offer that came with this answer: same network, asset, recipient and amount.',
  },
  'payment/invalid-signature': {
    status: 402,
    title: 'The signature of the payment is not valid',
    remedy:
      'Sign the EIP-712 message again with the key of `from`, under the domain given in `extra`. The signature must be 65 bytes with a low s.',
  },
  'payment/expired': {
    status: 402,
    title: 'The payment has expired, or will before it can settle',
    remedy: 'Sign a new authorization whose `validBefore` is later, and check the clock of the signer.',
  },
  'payment/not-yet-valid': {
    status: 402,
    title: 'The payment is not valid yet',
    remedy: 'Sign with an earlier `validAfter` (0 is usual), and check the clock of the signer.',
  },
  'payment/insufficient-funds': {
    status: 402,
    title: 'The payer does not hold enough of the asset',
    remedy: 'Top up the wallet, or pay from another one. This authorization was not used.',
  },
  'payment/already-used': {
    status: 402,
    title: 'The authorization was already used or cancelled on the chain',
    remedy: 'Sign a new authorization with a fresh nonce.',
  },
  'payment/replayed': {
    status: 402,
    title: 'The payment belongs to another request',
    remedy: 'Sign a new authorization with a fresh nonce: one payment buys one request (method, URL and body).',
  },
  'payment/served': {
    status: 409,
    title: 'This payment was served',
    detail: 'The answer was delivered, or is not kept any more, and nothing shows that it is yours.',
    remedy:
      'Send the `Idempotency-Key` or the payment identifier of the first request with this payment, or sign a new one. A payment is public once it is on the chain, so it does not prove who asks.',
  },
  'answer/streamed': {
    status: 500,
    title: 'The route answered with a stream, which cannot be signed for',
    remedy:
      'It cost nothing. For the provider: a receipt names the digest of the whole answer, so a priced handler returns text, an object or a Buffer, not a stream, and no `Response` with a body, which Nest makes a stream of.',
  },
  'answer/unsendable': {
    status: 500,
    title: 'The route answered with what cannot be sent',
    remedy: 'It cost nothing. For the provider: `detail` says what is wrong with the status, a header or the body.',
  },
  'answer/unreadable': {
    status: 500,
    title: 'The answer is not encoded as its header says',
    remedy:
      'It cost nothing. For the provider: set `Content-Encoding` only to gzip, deflate or br, and only on a body that is encoded so.',
  },
  'answer/unposted': {
    status: 500,
    title: 'Something answered in the place of the priced route',
    remedy:
      'It cost nothing. For the provider: a hook or guard answered with success before the gate let the call through; declare such a route `@Free()`.',
  },
  'payment/in-progress': {
    status: 409,
    title: 'This payment is being served right now',
    remedy: 'Send the same request with the same payment after `Retry-After`. It is charged once.',
  },
  'payment/failed': {
    status: 402,
    title: 'The payment could not be settled',
    remedy: 'Read `detail` for the reason, then sign a new authorization. This one moved no money.',
  },
  'payment/outcome-unknown': {
    status: 503,
    title: 'It is not known yet whether the payment settled',
    remedy:
      'Send the same request with the SAME payment after `Retry-After`. Do not sign a new one: the money may have moved.',
  },
  'payment/refund-due': {
    status: 409,
    title: 'The payment moved, nothing was served for it, and a refund is due',
    remedy:
      'Do not send this payment again. The refund is recorded; contact the operator with the nonce of the payment.',
  },
  'payment/refused-by-token': {
    status: 402,
    title: 'The token contract refuses the transfer',
    remedy:
      'Read `detail` for the reason in the words of the token: it may be paused, or refuse this payer. Pay from another wallet or later.',
  },
  'payment/gas-limit': {
    status: 402,
    title: 'The wallet needs more gas than a settlement here may use',
    remedy: 'Pay from a wallet whose signature check takes less gas, or ask the operator to raise the limit.',
  },
  'payment/gas-ceiling': {
    status: 503,
    title: 'Gas costs more at present than is paid for a settlement here',
    remedy: 'Send the same request with the same payment after `Retry-After`. Nothing was charged.',
  },
  'payment/unprofitable': {
    status: 503,
    title: 'Gas would take too much of this payment at present',
    remedy: 'Send the same request with the same payment after `Retry-After`, or use an API key. Nothing was charged.',
  },
  'payment/reverting': {
    status: 503,
    title: 'Settlements revert again and again',
    remedy:
      'Check that the wallet holds the amount until it has moved, then send the request again after `Retry-After`.',
  },
  'payment/payer-blocked': {
    status: 403,
    title: 'No payments are taken from this wallet',
    remedy: 'Contact the operator. Retrying does not help.',
  },
  'payment/exposure-exceeded': {
    status: 503,
    title: 'Too many served payments are still to be collected',
    remedy:
      'Send the same request with the same payment after `Retry-After`: they are collected meanwhile. Nothing was charged.',
  },
  'service/database-unavailable': {
    status: 503,
    title: 'The database cannot be reached',
    remedy: 'Send the same request again after `Retry-After`. Nothing was charged.',
  },
  'service/chain-unavailable': {
    status: 503,
    title: 'The chain cannot be reached',
    remedy: 'Send the same request with the same payment after `Retry-After`, or use an API key.',
  },
  'service/shutting-down': {
    status: 503,
    title: 'This server is shutting down',
    remedy: 'Send the same request again after `Retry-After`; another server will take it.',
  },
  'service/overloaded': {
    status: 503,
    title: 'The service is overloaded',
    remedy: 'Send the same request again after `Retry-After`. Nothing was charged.',
  },
  'service/timeout': {
    status: 504,
    title: 'The call took too long',
    remedy: 'Send the call again; it cost nothing. On the x402 rail the same payment may be presented again.',
  },
  'service/internal': {
    status: 500,
    title: 'Something went wrong on our side',
    detail: 'The request could not be completed. Quote the request id when you report this.',
    remedy:
      'Send the same request again, with the same payment if there was one. If it goes on, report it with the request id.',
  },
  'money/malformed': {
    status: 400,
    title: 'The amount of money cannot be read',
    remedy: 'Write a plain decimal such as `0.001`: no sign, no exponent, at most six decimals.',
  },
  'time/malformed': {
    status: 400,
    title: 'The month cannot be read',
    remedy: 'Write the month as `YYYY-MM`, for example `2026-11`.',
  },
  'receipt/not-found': {
    status: 404,
    title: 'There is no receipt with this id',
    remedy: 'Check the id against the `Receipt-Id` header of the call.',
  },
  'receipt/malformed': {
    status: 400,
    title: 'The receipt cannot be read',
    remedy: 'Pass the receipt on byte for byte, as the `Keyfare-Receipt` header carried it.',
  },
  'log/malformed': {
    status: 400,
    title: 'The log entry cannot be read',
    remedy: 'Read the entry from the feed again. If it stays unreadable, the feed and the reader differ in version.',
  },
  'account/not-found': {
    status: 404,
    title: 'There is no such account',
    remedy: 'Check the account id.',
  },
  'plan/not-found': {
    status: 404,
    title: 'There is no such plan',
    remedy: 'Check the slug and version of the plan.',
  },
  'key/not-found': {
    status: 404,
    title: 'There is no such key',
    remedy: 'Check the key id: it is the part of the key after the environment.',
  },
  'plan/conflict': {
    status: 409,
    title: 'The plan is in another state than the change expects',
    remedy: 'Read the plan again and repeat the change on its present version.',
  },
  'account/conflict': {
    status: 409,
    title: 'The account is in another state than the change expects',
    remedy: 'Read the account again and repeat the change on its present state.',
  },
  ...operatorProblems,
  ...invoiceProblems,
  'break/not-found': {
    status: 404,
    title: 'There is no such reconciliation break',
    remedy: 'Check the id against the list of open and resolved breaks.',
  },
  'report/not-found': {
    status: 404,
    title: 'There is no such report',
    remedy: 'Check the name, period and format of the report.',
  },
  'config/invalid': {
    status: 500,
    title: 'The configuration is not valid',
    remedy: 'Correct every setting listed in `detail`, then start again. The service does not run until all are right.',
  },
} as const satisfies Readonly<Record<`${string}/${string}`, CatalogueRow>>;

/** A stable code of the catalogue, `room/what-is-wrong`. */
export type ProblemCode = keyof typeof catalogue;

/** The row of `code`: status, title, remedy and, for some, a default detail. Total. */
export function describeCode(code: ProblemCode): CatalogueRow {
  return catalogue[code];
}
