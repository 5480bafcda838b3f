/** What each member of a signed document says, for who has never seen one. */
const meanings: Readonly<Record<string, string>> = {
  version: 'The version of this format.',
  id: 'The id of the call and of its entry in the log. Times are in it: ids that begin alike came close together.',
  sku: 'The product that was sold.',
  method: 'The method of the HTTP request.',
  resourceUrl: 'The address that was asked. The keys that sign belong to this host.',
  status: 'The status of the HTTP answer.',
  units: 'How many units the call took of a plan.',
  requestDigest: 'SHA-256 of the body that was sent (RFC 9530): who has the body can compare.',
  responseDigest: 'SHA-256 of the body that was answered (RFC 9530): who has the answer can compare.',
  issuedAt: 'When it was signed, in seconds since 1970.',
  rail: 'Who paid, and how: key (a plan), x402 (a wallet), free.',
  principal: 'Who called: the account of the key, the wallet, or nobody that is known.',
  account: 'The account, where its plan sells units beyond it to wallets.',
  network: 'The chain, as CAIP-2 names it.',
  payer: 'The wallet that signed the authorization.',
  transaction: 'The transaction in which the money moved.',
  asset: 'The contract of the token.',
  decimals: 'How many digits of the amount are behind the point.',
  amount: 'What was paid, in the smallest unit of the token.',
  payTo: 'Who was paid.',
  nonce: 'The nonce of the authorization: the token takes it once (EIP-3009).',
  settlement: 'settled: the money had moved when it was signed. deferred: it was to be collected later.',
  accountName: 'The name of the account at that time.',
  plan: 'The plan that was agreed, and its version.',
  includedUnits: 'Units of a month that the price includes.',
  overage: 'What becomes of calls beyond them: refused, put on the invoice, or sold to a wallet.',
  overagePrice: 'The price of a unit beyond them, in millionths of a dollar.',
  monthlyPrice: 'The price of a whole month, in millionths of a dollar.',
  revision: 'Counts the changes of what this account has agreed.',
  effectiveAt: 'From when on it holds, in seconds since 1970.',
  endsAt: 'From when on nothing is sold to the account, in seconds since 1970.',
  call: 'The id of the call that it is about.',
  reason: 'The code of what happened.',
  alg: 'The signature algorithm: EdDSA with the curve Ed25519 (RFC 8037).',
  kid: 'The key that signed, as a DID URL; the published key set has it under this name.',
  typ: 'Which kind of document this is: one never passes for another.',
};

export const meaningOf = (member: string): string => meanings[member] ?? 'A member that this page does not know.';

export const secondsMembers: ReadonlySet<string> = new Set(['issuedAt', 'effectiveAt', 'endsAt']);

export const reasonWords: Readonly<Record<string, string>> = {
  malformed: 'It is not exactly what is signed: something was added, left out or spelled otherwise.',
  'unknown-key': 'None of the published keys has the name that it gives.',
  'bad-signature': 'What it says is not what was signed: it was changed, or the signature is another one.',
  'unknown-kind': 'It is a signed text of somebody else.',
};
