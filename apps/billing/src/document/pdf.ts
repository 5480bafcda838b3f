import { countryCode, countryName } from '../country.js';
import type { DocumentParty, DocumentTax, InvoiceDocument } from './model.js';
import { centsText, countText, percentText, priceText } from './money-text.js';
import { drawFeet, drawTable, faint, gap, ink, makeRoom, type Pdf, page, renderPaper } from './paper.js';

/** The columns of the lines: where each begins, how wide it is, and how its text stands. */
const columns = [
  { title: 'Description', x: page.left, width: 245, align: 'left' },
  { title: 'Quantity', x: 305, width: 65, align: 'right' },
  { title: 'Unit price', x: 378, width: 75, align: 'right' },
  { title: 'Amount, USD', x: 461, width: page.right - 461, align: 'right' },
] as const;

/** The document as a PDF/A-3b: the same document gives the same bytes, in every process. */
export async function renderPdf(document: InvoiceDocument): Promise<Buffer> {
  const { seller, number, changedAt: at } = document;
  const title = titleOf(document);
  const about = { title: `${title} ${number ?? 'DRAFT'}`, author: seller?.legalName ?? '', at };
  return renderPaper(about, (pdf) => {
    drawHead(pdf, document);
    drawParties(pdf, document);
    drawLines(pdf, document);
    drawTotals(pdf, document);
    drawTexts(pdf, document);
    drawFeet(pdf, [seller?.legalName, title, number ?? 'DRAFT'].filter((part) => part !== undefined).join(' · '));
  });
}

function titleOf({ kind }: InvoiceDocument): string {
  return kind === 'invoice' ? 'Invoice' : 'Credit note';
}

/** The seller on the left, what it is on the right. */
function drawHead(pdf: Pdf, document: InvoiceDocument): void {
  const { seller, number } = document;
  const half = 270;
  pdf
    .font('bold')
    .fontSize(20)
    .text(titleOf(document), page.left + half, page.top, { width: page.right - page.left - half, align: 'right' });
  const label = number ?? (document.asOf === null ? 'DRAFT' : 'DRAFT · MONTH RUNNING');
  pdf
    .fontSize(10)
    .fillColor(number === null ? '#b42318' : faint)
    .text(label, { width: page.right - page.left - half, align: 'right' });
  const right = pdf.y;
  pdf
    .fillColor(ink)
    .fontSize(12)
    .text(seller?.legalName ?? 'The seller is not known yet', page.left, page.top + 4, { width: half - gap });
  drawAddress(pdf, seller, half - gap);
  pdf.y = Math.max(pdf.y, right) + 18;
}

function drawAddress(pdf: Pdf, party: DocumentParty | null, width: number): void {
  if (party === null) return;
  pdf
    .font('regular')
    .fontSize(9)
    .fillColor(faint)
    .text(addressText(party), page.left, pdf.y + 2, { width });
  if (party.taxId !== null) pdf.text(`Tax ID ${party.taxId}`, { width });
  pdf.fillColor(ink);
}

/** The address, with the name of the country where its last line does not tell it. */
function addressText({ address, country }: DocumentParty): string {
  const name = country === null ? null : countryName(country);
  const last = address.trimEnd().split('\n').at(-1) ?? '';
  return name === null || countryCode(last) === country ? address : `${address.trimEnd()}\n${name}`;
}

/** Who is invoiced on the left, the dates on the right. */
function drawParties(pdf: Pdf, document: InvoiceDocument): void {
  const { customer, account } = document;
  const top = pdf.y;
  drawFacts(pdf, factsOf(document));
  const right = pdf.y;
  const width = 250;
  pdf
    .font('regular')
    .fontSize(8)
    .fillColor(faint)
    .text(document.kind === 'invoice' ? 'BILL TO' : 'CREDIT TO', page.left, top, { width });
  pdf
    .font('bold')
    .fontSize(11)
    .fillColor(ink)
    .text(customer?.legalName ?? account.name, { width });
  drawAddress(pdf, customer, width);
  pdf.y = Math.max(pdf.y, right) + 20;
}

/** What it says about itself, label and value. */
function factsOf(document: InvoiceDocument): readonly (readonly [string, string])[] {
  const { credits, issuedOn, dueOn, period, asOf, account } = document;
  return [
    ...(credits === null ? [] : [['Credits invoice', `${credits.number} of ${credits.issuedOn}`] as const]),
    ...(issuedOn === null ? [] : [['Issued', issuedOn] as const]),
    ...(dueOn === null ? [] : [['Due', dueOn] as const]),
    ['Period', `${period.firstDay} to ${period.lastDay}`],
    ...(asOf === null ? [] : [['As of', `${asOf.toISOString().slice(0, 16).replace('T', ' ')} UTC`] as const]),
    ['Account', account.id],
  ];
}

function drawFacts(pdf: Pdf, facts: readonly (readonly [string, string])[]): void {
  const [label, value] = [
    { x: 320, width: 80 },
    { x: 402, width: page.right - 402 },
  ];
  pdf.fontSize(9);
  for (const [name, said] of facts) {
    const { y } = pdf;
    pdf.font('regular').fillColor(faint).text(name, label.x, y, { width: label.width });
    const below = pdf.y;
    pdf.fillColor(ink).text(said, value.x, y, { width: value.width, align: 'right' });
    pdf.y = Math.max(below, pdf.y) + 2;
  }
}

function drawLines(pdf: Pdf, document: InvoiceDocument): void {
  const rows = document.lines.map(({ description, quantity, unitPrice, amountCents }) => {
    return [description, countText(quantity, ','), priceText(unitPrice, ','), centsText(amountCents, ',')];
  });
  drawTable(pdf, columns, rows);
}

/** Subtotal, taxes, total and what is due: on one page, all of them. */
function drawTotals(pdf: Pdf, document: InvoiceDocument): void {
  const { kind, subtotalCents, taxes, totalCents, paidCents, dueCents } = document;
  const rows: readonly (readonly [string, bigint, boolean])[] = [
    ['Subtotal', subtotalCents, false],
    ...taxes.map((tax) => [taxText(tax), tax.amountCents, false] as const),
    ['Total', totalCents, true],
    ...(paidCents === 0n ? [] : [['Paid', -paidCents, false] as const]),
    ...(kind === 'invoice' ? [['Amount due, USD', dueCents, true] as const] : []),
  ];
  const [x, width] = [260, 190];
  pdf.font('regular').fontSize(9);
  const height = rows.reduce((sum, [name]) => sum + pdf.heightOfString(name, { width }) + 5, gap);
  makeRoom(pdf, height);
  pdf.y += gap - 4;
  for (const [name, cents, strong] of rows) {
    const top = pdf.y;
    pdf
      .font(strong ? 'bold' : 'regular')
      .fillColor(ink)
      .text(name, x, top, { width, align: 'right' });
    const below = pdf.y;
    pdf.text(centsText(cents, ','), columns[3].x, top, { width: columns[3].width, align: 'right' });
    pdf.y = below + 5;
  }
}

function taxText({ code, basisPoints, reverseCharge, baseCents }: DocumentTax): string {
  const rate = reverseCharge ? 'reverse charge' : `${percentText(basisPoints)} %`;
  return `Tax ${code}, ${rate} on ${centsText(baseCents, ',')}`;
}

/** The reasons of the taxes, how to pay, and notes. */
function drawTexts(pdf: Pdf, document: InvoiceDocument): void {
  pdf.y += gap;
  for (const { code, reason } of document.taxes) if (reason !== null) drawText(pdf, `Tax ${code}`, reason);
  const { kind, payTo, dueCents } = document;
  if (kind === 'invoice' && payTo !== null && dueCents > 0n) drawText(pdf, 'Payment', paymentText(document, payTo));
  for (const note of document.notes) drawText(pdf, 'Note', note);
}

function paymentText({ number, dueOn, dueCents }: InvoiceDocument, payTo: string): string {
  const way = payTo.startsWith('0x') ? `in USDC to the wallet ${payTo}` : `by bank transfer to ${payTo}`;
  const reference = number === null ? '' : `, with the reference ${number}`;
  return `${centsText(dueCents, ',')} USD ${way}${reference}${dueOn === null ? '' : `, by ${dueOn}`}.`;
}

function drawText(pdf: Pdf, title: string, text: string): void {
  const width = page.right - page.left;
  pdf.font('regular').fontSize(9);
  makeRoom(pdf, Math.min(pdf.heightOfString(text, { width }) + 2 * gap, page.bottom - page.top));
  pdf.font('bold').fontSize(8).fillColor(faint).text(title.toUpperCase(), page.left, pdf.y, { width });
  pdf
    .font('regular')
    .fontSize(9)
    .fillColor(ink)
    .text(text, page.left, pdf.y + 1, { width });
  pdf.y += gap - 4;
}
