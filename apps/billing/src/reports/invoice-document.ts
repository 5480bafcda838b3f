import { money, toCents } from '@keyfare/core/money';
import type { SqlPool } from '@keyfare/db/sql';
import type { DocumentLine, DocumentParty, InvoiceDocument } from '../document/model.js';
import type { Invoice } from '../invoice/invoice-row.js';

/** Who invoices whom, by the contract of the account. */
export interface Parties {
  readonly seller: DocumentParty;
  readonly customer: DocumentParty;
  readonly payTo: string;
}

interface PartiesRow {
  readonly seller_id: string;
  readonly seller_name: string;
  readonly seller_address: string;
  readonly seller_tax_id: string | null;
  readonly pay_to: string;
  readonly customer_id: string;
  readonly customer_name: string;
  readonly customer_address: string;
  readonly customer_tax_id: string | null;
}

/** By the last contract that holds in the period; null where there is none. */
export async function readParties(
  sql: SqlPool,
  { account, periodStart, periodEnd }: Invoice['invoice'],
): Promise<Parties | null> {
  const [row] = await sql.query<PartiesRow>({
    text: `select s.id as seller_id, s.legal_name as seller_name, s.address as seller_address, s.tax_id as seller_tax_id,
        s.pay_to, c.id as customer_id, c.legal_name as customer_name, c.address as customer_address,
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
    seller: partyOf(row.seller_id, row.seller_name, row.seller_address, row.seller_tax_id),
    customer: partyOf(row.customer_id, row.customer_name, row.customer_address, row.customer_tax_id),
    payTo: row.pay_to,
  };
}

function partyOf(reference: string, legalName: string, address: string, taxId: string | null): DocumentParty {
  return { legalName, address, taxId, reference };
}

/** The invoice as its reader sees it at `now`. */
export function documentOf({ invoice, lines }: Invoice, parties: Parties | null, now: Date): InvoiceDocument {
  const { number, periodStart, periodEnd, payableCents, updatedAt } = invoice;
  const isDraft = invoice.state === 'draft';
  const cents = centsOf(lines.map(({ amount }) => amount));
  return {
    kind: 'invoice',
    number,
    credits: null,
    issuedOn: isDraft ? null : dayOf(updatedAt),
    dueOn: null,
    period: { firstDay: dayOf(periodStart), lastDay: dayOf(new Date(periodEnd.getTime() - 1)) },
    asOf: isDraft && now < periodEnd ? updatedAt : null,
    seller: parties?.seller ?? null,
    customer: parties?.customer ?? null,
    account: { id: invoice.account, name: invoice.accountName },
    lines: lines.map(({ description, quantity, unitPrice }, index): DocumentLine => {
      return { description, quantity, unitPrice, amountCents: cents[index] ?? 0n, taxCode: null };
    }),
    taxes: [],
    subtotalCents: payableCents,
    totalCents: payableCents,
    paidCents: invoice.state === 'paid' ? payableCents : 0n,
    dueCents: invoice.state === 'paid' ? 0n : payableCents,
    payTo: isDraft ? null : (parties?.payTo ?? null),
    notes: [],
    changedAt: updatedAt,
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
