import { money, toCents } from '@keyfare/core/money';
import type { SqlPool } from '@keyfare/db/sql';
import { guessCountry } from '../country.js';
import type { DocumentLine, DocumentParty, InvoiceDocument } from '../document/model.js';
import type { Invoice } from '../invoice/invoice-row.js';
import type { CreditNote } from '../pipeline/credit-notes.js';

/** Who invoices whom. */
interface Parties {
  readonly seller: DocumentParty;
  readonly customer: DocumentParty;
  readonly payTo: string;
}

interface PartiesRow {
  readonly seller_id: string;
  readonly seller_name: string;
  readonly seller_address: string;
  readonly seller_country: string | null;
  readonly seller_tax_id: string | null;
  readonly pay_to: string;
  readonly customer_id: string;
  readonly customer_name: string;
  readonly customer_address: string;
  readonly customer_country: string | null;
  readonly customer_tax_id: string | null;
}

/** By the last contract that holds in the period; null where there is none. */
async function readParties(
  sql: SqlPool,
  { account, periodStart, periodEnd }: Invoice['invoice'],
): Promise<Parties | null> {
  const [row] = await sql.query<PartiesRow>({
    text: `select s.id as seller_id, s.legal_name as seller_name, s.address as seller_address, s.tax_id as seller_tax_id,
        s.country as seller_country, c.country as customer_country, s.pay_to, c.id as customer_id, c.legal_name as customer_name, c.address as customer_address,
        c.tax_id as customer_tax_id
      from billing.contract k
      join billing.seller s on s.id = k.seller_id
      join billing.customer c on c.id = k.customer_id
      where k.account = $1 and k.starts_at < $3 and coalesce(k.ends_at, 'infinity') > $2
      order by k.starts_at desc limit 1`,
    values: [account, periodStart, periodEnd],
  });
  if (row === undefined) return null;
  return {
    seller: {
      reference: row.seller_id,
      legalName: row.seller_name,
      address: row.seller_address,
      country: row.seller_country,
      taxId: row.seller_tax_id,
    },
    customer: {
      reference: row.customer_id,
      legalName: row.customer_name,
      address: row.customer_address,
      country: row.customer_country,
      taxId: row.customer_tax_id,
    },
    payTo: row.pay_to,
  };
}

/** What was frozen when the invoice became final; null of a draft. */
function frozenParties({ seller, customer }: Invoice['invoice']): Parties | null {
  if (seller === null || customer === null) return null;
  const { payTo } = seller;
  return { seller: frozenParty(seller), customer: frozenParty(customer), payTo: String(payTo) };
}

function frozenParty({ id, legalName, country, ...frozen }: Readonly<Record<string, unknown>>): DocumentParty {
  const address = String(frozen['address']);
  const taxId = typeof frozen['taxId'] === 'string' ? frozen['taxId'] : null;
  // What was frozen by a release before parties had a country is read as that release did.
  const read = country === undefined ? guessCountry({ address, taxId }) : country;
  const said = typeof read === 'string' ? read : null;
  return { reference: String(id), legalName: String(legalName), address, country: said, taxId };
}

/** Whether the rate of the invoice is one with reverse charge, as it was frozen; rates are never changed. */
async function isReverseCharge(
  sql: SqlPool,
  { taxCode, taxPoints, taxReason, periodEnd, document }: Invoice['invoice'],
): Promise<boolean> {
  if (taxCode === null || taxPoints !== 0) return false;
  const frozen = document === null ? null : (JSON.parse(document) as { tax: { reverseCharge?: boolean } | null }).tax;
  if (frozen?.reverseCharge !== undefined) return frozen.reverseCharge;
  const [rate] = await sql.query<{ reverse_charge: boolean }>({
    text: `select reverse_charge from billing.tax_rate
      where code = $1 and basis_points = 0 and reason is not distinct from $2 and valid_from < $3
      order by valid_from desc limit 1`,
    values: [taxCode, taxReason, periodEnd],
  });
  return rate?.reverse_charge ?? false;
}

/** The invoice as its reader sees it at `now`. A final one is as it was issued: payments are not on it. */
export async function readDocument(sql: SqlPool, given: Invoice, now: Date): Promise<InvoiceDocument> {
  const { invoice, lines } = given;
  const { number, issuedAt, firstDay, lastDay, periodEnd, payableCents, updatedAt, dueOn, taxCode } = invoice;
  const isDraft = invoice.state === 'draft';
  const parties = isDraft ? await readParties(sql, invoice) : frozenParties(invoice);
  const subtotalCents = invoice.subtotalCents ?? payableCents;
  const cents = centsOf(lines.map(({ amount }) => amount));
  const isReverse = await isReverseCharge(sql, invoice);
  return {
    kind: 'invoice',
    number,
    credits: null,
    issuedOn: isDraft ? null : dayOf(issuedAt ?? updatedAt),
    dueOn,
    period: { firstDay, lastDay },
    asOf: isDraft && now < periodEnd ? updatedAt : null,
    seller: parties?.seller ?? null,
    customer: parties?.customer ?? null,
    account: { id: invoice.account, name: invoice.accountName },
    lines: lines.map(({ description, quantity, unitPrice }, index): DocumentLine => {
      return { description, quantity, unitPrice, amountCents: cents[index] ?? 0n, taxCode };
    }),
    taxes: taxesOf(invoice, { isReverse, baseCents: subtotalCents, amountCents: invoice.taxCents ?? 0n }),
    subtotalCents,
    totalCents: payableCents,
    paidCents: 0n,
    dueCents: payableCents,
    payTo: isDraft ? null : (parties?.payTo ?? null),
    notes: [],
    changedAt: issuedAt ?? updatedAt,
  };
}

function taxesOf(
  { taxCode: code, taxPoints: basisPoints, taxReason: reason }: Invoice['invoice'],
  { isReverse, ...sums }: { readonly isReverse: boolean; readonly baseCents: bigint; readonly amountCents: bigint },
): InvoiceDocument['taxes'] {
  if (code === null || basisPoints === null) return [];
  return [{ code, basisPoints, reverseCharge: isReverse, reason, ...sums }];
}

/** A credit note of the invoice whose document is given. */
export async function readCreditNote(sql: SqlPool, given: Invoice, note: CreditNote): Promise<InvoiceDocument> {
  const { invoice, lines } = given;
  const of = await readDocument(sql, given, note.issuedAt);
  const { subtotalCents, taxCents, totalCents, issuedAt } = note;
  const taken = await sql.query<{ line: number; amount: string }>({
    text: 'select line, amount::text from billing.credit_note_line where credit_note_id = $1 order by line',
    values: [note.id],
  });
  const micros = taken.map(({ amount }) => BigInt(amount));
  const cents = [...centsOf(micros)];
  // The last note of an invoice takes what rounding left of it, which is at most some cents.
  const rest = subtotalCents - cents.reduce((sum, each) => sum + each, 0n);
  cents.push((cents.pop() ?? 0n) + rest);
  const isReverse = of.taxes.some(({ reverseCharge }) => reverseCharge);
  return {
    ...of,
    kind: 'credit-note',
    number: note.number,
    credits: { number: invoice.number ?? '', issuedOn: of.issuedOn ?? '' },
    issuedOn: dayOf(issuedAt),
    dueOn: null,
    lines: taken.map(({ line }, index): DocumentLine => {
      const amountCents = cents[index] ?? 0n;
      const description = `Taken back of: ${lines[line - 1]?.description ?? `line ${line}`}`;
      // A price is never below 0.
      const [quantity, unitCents] = amountCents < 0n ? [-1n, -amountCents] : [1n, amountCents];
      return { description, quantity, unitPrice: unitCents * 10_000n, amountCents, taxCode: invoice.taxCode };
    }),
    taxes: taxesOf(invoice, { isReverse, baseCents: subtotalCents, amountCents: taxCents }),
    subtotalCents,
    totalCents,
    dueCents: totalCents,
    notes: [note.reason],
    changedAt: issuedAt,
  };
}

/**
 * Micro-dollars in cents that add up to the rounded sum: each is the difference of two rounded sums, so it is at most a
 * cent off its own amount, and nothing is left over.
 */
export function centsOf(micros: readonly bigint[]): readonly bigint[] {
  let sum = 0n;
  return micros.map((amount) => {
    const before = roundHalfEven(sum);
    sum += amount;
    return roundHalfEven(sum) - before;
  });
}

function roundHalfEven(micros: bigint): bigint {
  return toCents(money('USD', micros), 'halfEven');
}

function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}
