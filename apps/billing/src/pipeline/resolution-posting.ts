import type { AssetCode, TokenCode } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import type { Sql } from '@keyfare/db/sql';
import {
  deferredReceivable,
  type LedgerAccount,
  otherIncome,
  refundsDue,
  revenue,
  treasuryOut,
  uncollected,
  unidentifiedReceipts,
  x402Receivable,
} from '../ledger/chart.js';
import type { Break } from '../reconcile/break-row.js';
import { possibleKinds, type ResolutionKind } from '../reconcile/kinds.js';

/** What a resolution moves: more than zero, from one ledger account to another. */
export interface ResolutionPosting {
  readonly asset: AssetCode;
  readonly amount: bigint;
  readonly debit: LedgerAccount;
  readonly credit: LedgerAccount;
}

/** The two ledger accounts of a correction, by their codes, and its amount in the smallest unit. */
export interface Correction {
  readonly debit: string;
  readonly credit: string;
  readonly amount: bigint;
}

/** A break whose amount is known to be of a token. */
interface Case {
  readonly tx: Sql;
  readonly found: Break;
  readonly asset: TokenCode;
  readonly network: string;
}

type Sides = Readonly<Record<'debit' | 'credit', LedgerAccount>>;
type Rule = (of: Case) => Promise<Sides>;

const rules: Readonly<Record<Exclude<ResolutionKind, 'no-posting' | 'correction'>, Rule>> = {
  // Money that was expected will not come. What was owed back of it is owed no longer.
  'write-off': async (of) => {
    const expected = await expectationOf(of);
    if (of.found.class === 'amount-mismatch') askSide(of, 'receipt');
    const debit = expected.outcome === 'refund-due' ? refundsDue(of.asset) : uncollected(of.asset);
    return { debit, credit: expected.receivable };
  },
  gift: async (of) => ({ debit: await surplusOf(of), credit: otherIncome(of.asset) }),
  'refund-due': async (of) => ({ debit: await surplusOf(of), credit: refundsDue(of.asset) }),
  // Another wallet of ours has it, or sent it, or paid it back.
  'other-wallet': async (of) => {
    if (of.found.class === 'recorded-not-settled') {
      return { debit: treasuryOut(of.asset), credit: (await expectationOf(of)).receivable };
    }
    return { debit: await surplusOf(of), credit: treasuryOut(of.asset) };
  },
  // The second entry of one payment earned, or owes, what came in once.
  duplicate: async (of) => {
    askSide(of, 'receipt');
    const [entry] = await of.tx.query<{ outcome: string; sku: string | null }>({
      text: 'select outcome, sku from billing.payment where entry_id::text = $1',
      values: [of.found.keys['entry'] ?? ''],
    });
    if (entry === undefined) throw impossible('The entry of the break is not in the books.');
    const credit = receivableOf(entry.outcome, of);
    if (entry.outcome === 'refund-due') return { debit: refundsDue(of.asset), credit };
    if (entry.sku === null) throw impossible('The entry does not say what was sold.');
    return { debit: revenue('x402', entry.sku, of.asset), credit };
  },
};

/**
 * What the resolution of a break posts, from the break and the books alone: null for one that posts nothing. 409
 * `break/not-possible` where the class, the side or the books have no such resolution.
 */
export async function postingOf(
  tx: Sql,
  found: Break,
  { kind, correction }: { readonly kind: ResolutionKind; readonly correction: Correction | undefined },
): Promise<ResolutionPosting | null> {
  if (!possibleKinds(found.class).includes(kind)) {
    throw impossible(`A break of the class ${found.class} has no resolution of the kind ${kind}.`);
  }
  if (kind === 'no-posting') return null;
  if (kind === 'correction') return correctionOf(tx, correction);
  const { asset, amount, keys } = found;
  const network = keys['network'];
  if (asset === null || asset === 'USD' || amount === null || amount <= 0n || network === undefined) {
    throw impossible('The break says no amount of a token; a correction can say what is to be posted.');
  }
  return { asset, amount, ...(await rules[kind]({ tx, found, asset, network })) };
}

async function correctionOf(tx: Sql, correction: Correction | undefined): Promise<ResolutionPosting> {
  if (correction === undefined) throw new Problem('request/invalid', 'A correction names two ledger accounts.');
  const { debit, credit, amount } = correction;
  const rows = await tx.query<LedgerAccount>({
    text: 'select code, asset, type from billing.ledger_account where code = any($1::text[])',
    values: [[debit, credit]],
  });
  const find = (code: string): LedgerAccount => {
    const account = rows.find((row) => row.code === code);
    if (account === undefined) throw impossible('One of the ledger accounts of the correction does not exist.');
    return account;
  };
  const sides = { debit: find(debit), credit: find(credit) };
  if (sides.debit.asset !== sides.credit.asset || debit === credit) {
    throw impossible('The two ledger accounts of a correction count the same asset, and are two.');
  }
  const { asset } = sides.debit;
  if (asset === 'ETH') throw impossible('No break is of ETH: what a settler holds is corrected by a reading.');
  return { asset, amount, ...sides };
}

/** Where more money stands than is explained. */
async function surplusOf(of: Case): Promise<LedgerAccount> {
  const { found, asset } = of;
  if (found.class === 'refund-due') return refundsDue(asset);
  if (found.class === 'amount-mismatch') {
    askSide(of, 'chain');
    return (await expectationOf(of)).receivable;
  }
  if (found.class === 'settled-not-recorded') await askUnidentified(of);
  return unidentifiedReceipts(asset);
}

/** The money of a call on credit whose `settlement` is missing stands in no other account than it should. */
async function askUnidentified({ tx, found, asset, network }: Case): Promise<void> {
  const { payer = '', nonce = '', asset: contract = '' } = found.keys;
  const [row] = await tx.query<{ held: string }>({
    text: `select coalesce(-sum(p.amount), 0)::text as held
      from billing.chain_transfer t
      join billing.journal j on j.source = 'transfer:' || t.id
      join billing.ledger_line p on p.journal_id = j.id and p.account = $5
      where (t.network, t.asset, t.authorizer, t.nonce) = ($1, $2, $3, $4)`,
    values: [network, contract, payer, nonce, unidentifiedReceipts(asset).code],
  });
  if (BigInt(row?.held ?? 0) >= (found.amount ?? 0n)) return;
  throw impossible('The money has cleared what was expected: there is none to keep, nor to pay back.');
}

/** The receivable of the payment that a break is about. */
async function expectationOf(of: Case): Promise<{ readonly receivable: LedgerAccount; readonly outcome: string }> {
  const { payer = '', nonce = '', asset: contract = '' } = of.found.keys;
  const [base] = await of.tx.query<{ outcome: string }>({
    text: `select outcome from billing.payment
      where (network, asset, payer, nonce) = ($1, $2, $3, $4) and outcome in ('settled', 'deferred', 'refund-due')
      order by place limit 1`,
    values: [of.network, contract, payer, nonce],
  });
  if (base === undefined) throw impossible('No entry in the books expects the money of this break.');
  return { receivable: receivableOf(base.outcome, of), outcome: base.outcome };
}

function receivableOf(outcome: string, { network, asset }: Case): LedgerAccount {
  return outcome === 'deferred' ? deferredReceivable(network, asset) : x402Receivable(network, asset);
}

function askSide({ found }: Case, side: Break['side']): void {
  if (found.side === side) return;
  throw impossible(`This resolution is for what the ${side} has, and this break is on the side ${found.side}.`);
}

function impossible(detail: string): Problem {
  return new Problem('break/not-possible', detail);
}
