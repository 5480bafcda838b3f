import type { Invoice } from '@e-invoice-eu/core';
import { Problem } from '@keyfare/core/problem';
import { countryCode, countryOfVatId } from '../country.js';
import type { DocumentLine, DocumentParty, DocumentTax, InvoiceDocument } from './model.js';
import { centsText, percentText, priceText } from './money-text.js';

type Ubl = Invoice['ubl:Invoice'];
type UblLine = Ubl['cac:InvoiceLine'][number];
type UblSeller = Ubl['cac:AccountingSupplierParty']['cac:Party'];
type UblBuyer = Ubl['cac:AccountingCustomerParty']['cac:Party'];
type UblTax = NonNullable<Ubl['cac:TaxTotal'][0]['cac:TaxSubtotal']>[number];
type Country = UblSeller['cac:PostalAddress']['cac:Country']['cbc:IdentificationCode'];

const vat = { 'cac:TaxScheme': { 'cbc:ID': 'VAT' } } as const;
const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * The document as an electronic invoice: EN 16931 in the syntax UBL 2.1. The same document gives the same text. 409
 * `invoice/no-e-invoice` for a draft, and where the norm asks for what nobody has entered: a customer, a seller, their
 * countries, the tax id of the seller.
 */
export async function renderEInvoice(document: InvoiceDocument): Promise<string> {
  const invoice = eInvoiceOf(document);
  library ??= openLibrary();
  const { format, fits } = await library;
  if (!fits(invoice)) {
    const cause = new Error(JSON.stringify(fits.errors));
    throw new Problem('invoice/no-e-invoice', 'The invoice does not fit the schema of the norm.', { cause });
  }
  const xml = await format.generate(invoice, { format: 'UBL', lang: 'en', noWarnings: true });
  // XML 1.0 §2.2 has no such characters.
  return String(xml).replaceAll(/[\uFFFE\uFFFF]/gu, '\uFFFD');
}

let library: ReturnType<typeof openLibrary> | undefined;

/**
 * Half a second and tens of megabytes: only for those that ask for an e-invoice. The library's own entry would demand
 * the addresses of the network Peppol, which the norm does not.
 */
async function openLibrary() {
  const [{ FormatFactoryService, invoiceSchema }, { Ajv2019 }] = await Promise.all([
    import('@e-invoice-eu/core'),
    import('ajv/dist/2019.js'),
  ]);
  const fits = new Ajv2019({ strict: true, allErrors: true }).compile(invoiceSchema);
  return { format: new FormatFactoryService().createFormatService('UBL', silent), fits };
}

/** The document by the terms of the norm, as the library takes them: it names them as UBL does. */
function eInvoiceOf(document: InvoiceDocument): Invoice {
  const { kind, number, issuedOn, dueOn, period, seller, customer, dueCents, notes } = document;
  if (number === null || issuedOn === null) throw new Problem('invoice/no-e-invoice', 'It is a draft.');
  if (seller === null || customer === null) {
    throw new Problem('invoice/no-e-invoice', 'The account had no contract with a customer in this time.');
  }
  const taxes = taxesOf(document);
  return {
    'ubl:Invoice': {
      'cbc:CustomizationID': 'urn:cen.eu:en16931:2017',
      'cbc:ID': number,
      'cbc:IssueDate': issuedOn,
      ...(dueOn === null ? {} : { 'cbc:DueDate': dueOn }),
      'cbc:InvoiceTypeCode': kind === 'invoice' ? '380' : '381',
      ...(notes.length === 0 ? {} : { 'cbc:Note': [notes.join('\n')] }),
      'cbc:DocumentCurrencyCode': 'USD',
      'cac:InvoicePeriod': { 'cbc:StartDate': period.firstDay, 'cbc:EndDate': period.lastDay },
      ...referenceOf(document),
      'cac:AccountingSupplierParty': { 'cac:Party': sellerOf(seller, taxes) },
      'cac:AccountingCustomerParty': { 'cac:Party': buyerOf(customer, taxes) },
      ...paymentOf(document),
      // BR-CO-25: what is due has a day or terms.
      ...(dueCents > 0n && dueOn === null ? { 'cac:PaymentTerms': { 'cbc:Note': termsOf(document) } } : {}),
      'cac:TaxTotal': [
        { ...amount('cbc:TaxAmount', sum(taxes.map(({ cents }) => cents))), 'cac:TaxSubtotal': taxes.map(subtotalOf) },
      ],
      'cac:LegalMonetaryTotal': totalsOf(document),
      'cac:InvoiceLine': linesOf(document, taxes),
    },
  };
}

function referenceOf({ credits }: InvoiceDocument): Pick<Ubl, 'cac:BillingReference'> {
  if (credits === null) return {};
  const reference = { 'cbc:ID': credits.number, 'cbc:IssueDate': credits.issuedOn };
  return { 'cac:BillingReference': [{ 'cac:InvoiceDocumentReference': reference }] };
}

function termsOf({ credits }: InvoiceDocument): string {
  return credits === null ? 'Due on receipt.' : `Credited against invoice ${credits.number}, or paid back.`;
}

/** A category of the norm with its rate, and what of the document is of it. */
interface Category {
  /** Standard, zero rate, exempt, reverse charge, or outside of the tax. */
  readonly id: 'S' | 'Z' | 'E' | 'AE' | 'O';
  readonly basisPoints: number;
  readonly codes: ReadonlySet<string | null>;
  readonly baseCents: bigint;
  readonly cents: bigint;
  readonly reasons: readonly string[];
}

/** One for each category and rate, as the norm has it (BR-S-08), whatever our codes are. */
function taxesOf({ taxes, lines, subtotalCents }: InvoiceDocument): readonly Category[] {
  const untaxed = lines.filter(({ taxCode }) => taxes.every(({ code }) => code !== taxCode));
  if (taxes.length > 0 && untaxed.length > 0) throw new Problem('invoice/no-e-invoice', 'A line has no tax.');
  if (taxes.length === 0) {
    const codes = new Set(lines.map(({ taxCode }) => taxCode));
    return [{ id: 'O', basisPoints: 0, codes, baseCents: subtotalCents, cents: 0n, reasons: ['Not subject to VAT'] }];
  }
  const found = new Map<string, Category>();
  for (const tax of taxes) {
    const id = categoryOf(tax);
    const key = `${id} ${tax.basisPoints}`;
    const before = found.get(key);
    found.set(key, {
      id,
      basisPoints: tax.basisPoints,
      codes: new Set([...(before?.codes ?? []), tax.code]),
      baseCents: (before?.baseCents ?? 0n) + tax.baseCents,
      cents: (before?.cents ?? 0n) + tax.amountCents,
      reasons: [...(before?.reasons ?? []), ...(tax.reason === null ? [] : [tax.reason])],
    });
  }
  return [...found.values()];
}

function categoryOf({ reverseCharge, basisPoints, reason }: DocumentTax): Category['id'] {
  if (reverseCharge) return 'AE';
  if (basisPoints > 0) return 'S';
  return reason === null ? 'Z' : 'E';
}

function subtotalOf({ id, basisPoints, baseCents, cents, reasons }: Category): UblTax {
  // A reason is for what is not taxed: BR-S-10, BR-Z-10.
  const reason = id === 'S' || id === 'Z' ? {} : { 'cbc:TaxExemptionReason': [...new Set(reasons)].join(' ') };
  const rate = id === 'O' ? {} : { 'cbc:Percent': percentText(basisPoints) };
  const category = { 'cbc:ID': id, ...rate, ...reason, ...vat };
  return {
    ...amount('cbc:TaxableAmount', baseCents),
    ...amount('cbc:TaxAmount', cents),
    'cac:TaxCategory': category,
  };
}

function sellerOf(party: DocumentParty, taxes: readonly Category[]): UblSeller {
  const { taxId, legalName, reference } = party;
  // BR-CO-26: it is known by an id of the state.
  if (taxId === null) throw new Problem('invoice/no-e-invoice', 'The seller has no tax id.');
  const isTaxed = taxes.every(({ id }) => id !== 'O');
  const isVatId = countryOfVatId(taxId) !== null;
  const scheme = { 'cbc:CompanyID': taxId, 'cac:TaxScheme': { 'cbc:ID': isVatId ? 'VAT' : 'TAX' } };
  return {
    'cac:PartyIdentification': [{ 'cbc:ID': reference }],
    'cac:PostalAddress': addressOf('seller', party),
    // BR-O-02: no VAT id on what is outside of the tax.
    ...(isTaxed ? { 'cac:PartyTaxScheme': [scheme] } : {}),
    'cac:PartyLegalEntity': {
      'cbc:RegistrationName': legalName,
      ...(isTaxed ? {} : { 'cbc:CompanyID': taxId }),
    },
  };
}

function buyerOf(party: DocumentParty, taxes: readonly Category[]): UblBuyer {
  const { taxId, legalName, reference } = party;
  const isVatId = taxId !== null && countryOfVatId(taxId) !== null && taxes.every(({ id }) => id !== 'O');
  // BR-AE-02: whoever owes the tax is named by an id of the state.
  if (taxId === null && taxes.some(({ id }) => id === 'AE')) {
    throw new Problem('invoice/no-e-invoice', 'The customer owes the tax, and has no tax id.');
  }
  return {
    'cac:PartyIdentification': { 'cbc:ID': reference },
    'cac:PostalAddress': addressOf('customer', party),
    ...(isVatId ? { 'cac:PartyTaxScheme': { 'cbc:CompanyID': taxId, ...vat } } : {}),
    'cac:PartyLegalEntity': {
      'cbc:RegistrationName': legalName,
      ...(taxId === null || isVatId ? {} : { 'cbc:CompanyID': taxId }),
    },
  };
}

/** Two lines and the rest; a last line that names the country is left out, for the country is told by its code. */
function addressOf(who: string, { address, country }: DocumentParty): UblSeller['cac:PostalAddress'] {
  // BR-09, BR-11.
  if (country === null) throw new Problem('invoice/no-e-invoice', `The ${who} has no country.`);
  const said = address.split('\n').map((line) => line.trim());
  const lines = said.filter((line) => line !== '');
  const [first, second, ...rest] = countryCode(lines.at(-1) ?? '') === country ? lines.slice(0, -1) : lines;
  return {
    ...(first === undefined ? {} : { 'cbc:StreetName': first }),
    ...(second === undefined ? {} : { 'cbc:AdditionalStreetName': second }),
    ...(rest.length === 0 ? {} : { 'cac:AddressLine': { 'cbc:Line': rest.join(', ') } }),
    'cac:Country': { 'cbc:IdentificationCode': country as Country },
  };
}

/** A credit transfer, or a way that the norm has no code for. */
function paymentOf({ kind, payTo, number, seller }: InvoiceDocument): Pick<Ubl, 'cac:PaymentMeans'> {
  if (payTo === null || kind === 'credit-note') return {};
  const reference = number === null ? {} : { 'cbc:PaymentID': number };
  if (payTo.startsWith('0x')) {
    const way = { 'cbc:PaymentMeansCode': 'ZZZ', 'cbc:PaymentMeansCode@name': `USDC to the wallet ${payTo}` } as const;
    return { 'cac:PaymentMeans': [{ ...way, ...reference }] };
  }
  const account = { 'cbc:ID': payTo, 'cbc:Name': seller?.legalName ?? '' };
  return { 'cac:PaymentMeans': [{ 'cbc:PaymentMeansCode': '30', ...reference, 'cac:PayeeFinancialAccount': account }] };
}

function totalsOf(document: InvoiceDocument): Ubl['cac:LegalMonetaryTotal'] {
  const { subtotalCents, totalCents, paidCents, dueCents } = document;
  return {
    ...amount('cbc:LineExtensionAmount', subtotalCents),
    ...amount('cbc:TaxExclusiveAmount', subtotalCents),
    ...amount('cbc:TaxInclusiveAmount', totalCents),
    ...(paidCents === 0n ? {} : amount('cbc:PrepaidAmount', paidCents)),
    ...amount('cbc:PayableAmount', dueCents),
  };
}

function linesOf({ lines }: InvoiceDocument, taxes: readonly Category[]): Ubl['cac:InvoiceLine'] {
  const [first, ...rest] = lines.map((line, index) => lineOf(line, index, taxes));
  if (first === undefined) throw new Problem('invoice/no-e-invoice', 'It has no lines.');
  return [first, ...rest];
}

function lineOf(line: DocumentLine, index: number, taxes: readonly Category[]): UblLine {
  const tax = taxes.find(({ codes }) => codes.has(line.taxCode));
  const { note, quantity, unitPrice } = factorsOf(line);
  const category = {
    'cbc:ID': tax?.id ?? 'O',
    ...(tax === undefined || tax.id === 'O' ? {} : { 'cbc:Percent': percentText(tax.basisPoints) }),
  };
  return {
    'cbc:ID': String(index + 1),
    ...(note === null ? {} : { 'cbc:Note': note }),
    'cbc:InvoicedQuantity': quantity.toString(),
    'cbc:InvoicedQuantity@unitCode': 'C62',
    ...amount('cbc:LineExtensionAmount', line.amountCents),
    'cac:Item': { 'cbc:Name': line.description, 'cac:ClassifiedTaxCategory': { ...category, ...vat } },
    'cac:Price': priceOf(unitPrice),
  };
}

const microsPerCent = 10_000n;

/** A price of parts of a cent is told for so many units that it is one of cents: `0.25` for 1,000. */
function priceOf(unitPrice: bigint): UblLine['cac:Price'] {
  let units = 1n;
  while ((unitPrice * units) % microsPerCent !== 0n) units *= 10n;
  const base =
    units === 1n ? {} : { 'cbc:BaseQuantity': units.toString(), 'cbc:BaseQuantity@unitCode': 'C62' as const };
  return { ...amount('cbc:PriceAmount', (unitPrice * units) / microsPerCent), ...base };
}

/**
 * Factors that come to the line's amount, within a cent. A part of a month's price does not: it is one of its amount,
 * and the note says of what. A price is never below 0 (BR-27), a quantity may be.
 */
function factorsOf({ quantity, unitPrice, amountCents }: DocumentLine): {
  readonly note: string | null;
  readonly quantity: bigint;
  readonly unitPrice: bigint;
} {
  const off = quantity * unitPrice - amountCents * microsPerCent;
  if (off <= microsPerCent && off >= -microsPerCent) return { note: null, quantity, unitPrice };
  const [sign, cents] = amountCents < 0n ? [-1n, -amountCents] : [1n, amountCents];
  return {
    note: `Part of ${quantity} at ${priceText(unitPrice)} USD`,
    quantity: sign,
    unitPrice: cents * microsPerCent,
  };
}

type Amount<K extends string> = { readonly [key in K]: string } & { readonly [key in `${K}@currencyID`]: 'USD' };

function amount<K extends string>(name: K, cents: bigint): Amount<K> {
  return { [name]: centsText(cents), [`${name}@currencyID`]: 'USD' } as Amount<K>;
}

function sum(cents: readonly bigint[]): bigint {
  return cents.reduce((total, each) => total + each, 0n);
}
