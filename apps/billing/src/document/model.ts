/** Who sells or is invoiced, as the document was issued. */
export interface DocumentParty {
  readonly legalName: string;
  /** Lines end with `\n`. The last one may name the country too. */
  readonly address: string;
  /** Its code of ISO 3166-1, two letters; null where nobody has entered it. */
  readonly country: string | null;
  readonly taxId: string | null;
  /** Ours, for a party without a tax id. */
  readonly reference: string;
}

export interface DocumentLine {
  readonly description: string;
  /** Units; below 0 on a line that takes back. */
  readonly quantity: bigint;
  /** Micro-dollars, 0 or more. */
  readonly unitPrice: bigint;
  /** Cents without tax. */
  readonly amountCents: bigint;
  /** One of the document's taxes; null while none is known. */
  readonly taxCode: string | null;
}

export interface DocumentTax {
  readonly code: string;
  /** 1,900 is 19 %. */
  readonly basisPoints: number;
  readonly reverseCharge: boolean;
  /** Cents: the lines of this tax. */
  readonly baseCents: bigint;
  readonly amountCents: bigint;
  /** Why nothing, or another rate, is due. */
  readonly reason: string | null;
}

/**
 * An invoice or a credit note as its reader sees it, in USD. Days are `YYYY-MM-DD` in UTC. The amounts of a credit note
 * are what is given back: above 0. Its sums agree: lines = subtotal, subtotal + taxes = total, total − paid = due.
 */
export interface InvoiceDocument {
  readonly kind: 'invoice' | 'credit-note';
  /** Null: a draft. */
  readonly number: string | null;
  /** The invoice that a credit note is of. */
  readonly credits: { readonly number: string; readonly issuedOn: string } | null;
  /** Null: not issued. */
  readonly issuedOn: string | null;
  readonly dueOn: string | null;
  readonly period: { readonly firstDay: string; readonly lastDay: string };
  /** Of a running month, up to when it says what is known. */
  readonly asOf: Date | null;
  readonly seller: DocumentParty | null;
  readonly customer: DocumentParty | null;
  readonly account: { readonly id: string; readonly name: string };
  readonly lines: readonly DocumentLine[];
  readonly taxes: readonly DocumentTax[];
  readonly subtotalCents: bigint;
  readonly totalCents: bigint;
  readonly paidCents: bigint;
  readonly dueCents: bigint;
  /** An IBAN, or a wallet that takes USDC. */
  readonly payTo: string | null;
  readonly notes: readonly string[];
  /** When the content was last changed: the date of the PDF. */
  readonly changedAt: Date;
}
