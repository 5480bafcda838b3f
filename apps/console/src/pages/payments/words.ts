const flows: Readonly<Record<string, string>> = {
  authorization: 'after the work',
  upfront: 'before the work',
  deferred: 'deferred',
  settled: 'settled',
  'refund-due': 'refund due',
};

/** When a payment is settled, by the name of its flow. */
export const flowName = (flow: string): string => flows[flow] ?? flow;

/** What became of an authorization that moved nothing, by the code that the payment has. */
const causes: Readonly<Record<string, string>> = {
  'authorization-expired':
    'The authorization ran out before the transfer was in a block. Nothing moved, and it never can with this one.',
  'authorization-canceled': 'The payer canceled the authorization on the chain before it was used. Nothing moved.',
  'authorization-used-elsewhere':
    'The payer had signed the same nonce twice, and the other one moved its money to somebody else. Nothing moved to us.',
  'not-posted': 'The money moved and what was to be answered could not be recorded: the payer is owed it back.',
  'handler-refused': 'The money moved before the work, and the work was then refused: the payer is owed it back.',
  'not-served': 'The money moved and nothing was served for it: the payer is owed it back.',
};

export const causeWords = (cause: string): string =>
  causes[cause] ?? 'The chain or the token refused the transfer. The code is what it said.';
