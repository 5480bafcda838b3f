import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import PdfKit from 'pdfkit';

/** A document under way. */
export type Pdf = InstanceType<typeof PdfKit>;

/** A4 upright, in points. */
export const page = { width: 595.28, left: 50, right: 545.28, top: 50, bottom: 770 } as const;
export const ink = '#1a1a1a';
export const faint = '#667085';
const rule = '#d0d5dd';
export const gap = 12;

const readFont = (url: string): Buffer => readFileSync(fileURLToPath(url));
const regular = readFont(import.meta.resolve('@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf'));
const bold = readFont(import.meta.resolve('@expo-google-fonts/noto-sans/600SemiBold/NotoSans_600SemiBold.ttf'));

/** A column of a table: where it begins, how wide it is, and how its text stands. */
export interface PaperColumn {
  readonly title: string;
  readonly x: number;
  readonly width: number;
  readonly align: 'left' | 'right';
}

/**
 * A PDF/A-3b (fonts within, for the archive), drawn by `draw`. Depends on its input alone, in every process: the same
 * drawing gives the same bytes. Letters beyond Latin, Greek, Cyrillic and Devanagari are boxes.
 */
export async function renderPaper(
  { title, author, at }: { readonly title: string; readonly author: string; readonly at: Date },
  draw: (pdf: Pdf) => void | Promise<void>,
): Promise<Buffer> {
  const pdf = new PdfKit({
    size: 'A4',
    margins: { top: page.top, left: page.left, right: page.width - page.right, bottom: 0 },
    bufferPages: true,
    pdfVersion: '1.7',
    subset: 'PDF/A-3b',
    lang: 'en',
    displayTitle: true,
    font: null as unknown as string,
    // pdfkit makes the file's id of these too.
    info: { Title: title, Author: author, Producer: 'Keyfare', Creator: 'Keyfare', CreationDate: at, ModDate: at },
  });
  const chunks: Buffer[] = [];
  const done = new Promise<void>((resolve, reject) => {
    pdf.on('data', (chunk: Buffer) => chunks.push(chunk));
    pdf.on('end', resolve);
    pdf.on('error', reject);
  });
  pdf.registerFont('regular', regular).registerFont('bold', bold).font('regular').fontSize(9).fillColor(ink);
  await draw(pdf);
  pdf.end();
  await done;
  return Buffer.concat(chunks);
}

/** The rows of a table; those that do not fit go on, under the same titles, on the next page. */
export function drawTable(
  pdf: Pdf,
  columns: readonly PaperColumn[],
  rows: Iterable<readonly string[]>,
  fontSize = 9,
): void {
  drawTitles(pdf, columns);
  for (const cells of rows) {
    pdf.font('regular').fontSize(fontSize).fillColor(ink);
    const height = Math.max(
      ...cells.map((cell, index) => pdf.heightOfString(cell, { width: columns[index]?.width ?? 0 })),
    );
    if (pdf.y + height + 8 > page.bottom) {
      pdf.addPage();
      drawTitles(pdf, columns);
      pdf.fontSize(fontSize);
    }
    drawRow(pdf, columns, { cells, height });
  }
}

function drawTitles(pdf: Pdf, columns: readonly PaperColumn[]): void {
  pdf.font('bold').fontSize(8).fillColor(faint);
  drawRow(pdf, columns, { cells: columns.map(({ title }) => title), height: pdf.currentLineHeight(true) });
  pdf.font('regular').fontSize(9).fillColor(ink);
}

function drawRow(
  pdf: Pdf,
  columns: readonly PaperColumn[],
  { cells, height }: { readonly cells: readonly string[]; readonly height: number },
): void {
  const top = pdf.y + 4;
  for (const [index, { x, width, align }] of columns.entries()) pdf.text(cells[index] ?? '', x, top, { width, align });
  pdf.y = top + height + 4;
  pdf.moveTo(page.left, pdf.y).lineTo(page.right, pdf.y).lineWidth(0.5).strokeColor(rule).stroke();
}

/** Goes on on the next page when `height` does not fit on this one. */
export function makeRoom(pdf: Pdf, height: number): void {
  if (pdf.y + height > page.bottom) pdf.addPage();
}

/** On each page whose it is and which of how many. */
export function drawFeet(pdf: Pdf, whose: string): void {
  const { start, count } = pdf.bufferedPageRange();
  for (let index = start; index < start + count; index += 1) {
    pdf.switchToPage(index);
    pdf.font('regular').fontSize(8).fillColor(faint);
    pdf.text(whose, page.left, 795, { width: 380, height: 12, ellipsis: true, lineBreak: false });
    pdf.text(`Page ${index + 1} of ${count}`, 440, 795, { width: page.right - 440, align: 'right', lineBreak: false });
  }
}
