/** An invoice that is to be paid; amounts in micro-dollars. */
export interface OpenInvoice {
  readonly id: string;
  readonly number: string;
  readonly outstanding: bigint;
}

const mostWords = 8;
const longestNumber = 40;

/** The letters and digits of an invoice's number, as people copy them: case, blanks and dashes say nothing. */
export function normalNumber(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z0-9]/gu, '');
}

/**
 * Every number that a reference may name: its words, and its neighbouring words put together, for a bank or a customer
 * may break `KF-2026-7` anywhere between its parts. Never a part of a word: `KF-1` is not in `KF-12`.
 */
export function candidatesOf(reference: string): ReadonlySet<string> {
  const words = reference.toUpperCase().match(/[A-Z0-9]+/gu) ?? [];
  const found = new Set<string>();
  for (let from = 0; from < words.length; from += 1) {
    let text = '';
    for (const word of words.slice(from, from + mostWords)) {
      text += word;
      if (text.length > longestNumber) break;
      found.add(text);
    }
  }
  return found;
}

/**
 * The invoice that a payment is of by rule, and how much of it: the only one that its reference names, of all numbers
 * that were ever given. Null where none or several are named, and where the one is not to be paid.
 */
export function invoiceOfReference(
  { reference, amount }: { readonly reference: string; readonly amount: bigint },
  issued: ReadonlyMap<string, OpenInvoice>,
): { readonly invoice: OpenInvoice; readonly amount: bigint } | null {
  const named = [...candidatesOf(reference)].flatMap((number) => issued.get(number) ?? []);
  const [invoice, ...others] = named;
  if (invoice === undefined || others.length > 0 || amount <= 0n || invoice.outstanding <= 0n) return null;
  return { invoice, amount: amount < invoice.outstanding ? amount : invoice.outstanding };
}
