// Pays for one call with the official client of x402 version 1: `node pay.mjs <url> <private key> [<network or asset>]`, by
// the first offer on that network, or in the asset of that contract, where one is named, and else by the one that the client chooses. Prints one line of JSON with what came back. The chain is the client's business nowhere here: it signs, and the server settles.
import { privateKeyToAccount } from 'viem/accounts';
import { decodeXPaymentResponse, wrapFetchWithPayment } from 'x402-fetch';

const [url, privateKey, named] = process.argv.slice(2);
const choose = named && ((accepts) => accepts.find(({ network, asset }) => network === named || asset === named));
const pay = wrapFetchWithPayment(fetch, privateKeyToAccount(privateKey), undefined, choose || undefined);
const response = await pay(url);
const header = response.headers.get('x-payment-response');
const answer = {
  status: response.status,
  body: await response.json(),
  receipt: response.headers.get('keyfare-receipt'),
  payment: header === null ? null : decodeXPaymentResponse(header),
};
process.stdout.write(`${JSON.stringify(answer)}\n`);
