import { setImmediate } from 'node:timers/promises';
import {
  drawFeet,
  drawTable,
  faint,
  gap,
  ink,
  makeRoom,
  type PaperColumn,
  type Pdf,
  page,
  renderPaper,
} from './paper.js';

/** A part of the pack: a table, or a sentence where there is nothing to list. */
export interface PackSection {
  readonly title: string;
  /** `share` is the part of the page's width. */
  readonly columns: readonly { readonly title: string; readonly share: number; readonly isNumber?: boolean }[];
  readonly rows: readonly (readonly string[])[];
  /** Under the table: what it leaves out, and where the rest is. */
  readonly note?: string;
}

/** All that is known of a month's close, at one moment. */
export interface ClosePack {
  readonly month: string;
  readonly state: 'open' | 'locked';
  /** When it was read. */
  readonly at: Date;
  /** Label and value. */
  readonly facts: readonly (readonly [string, string])[];
  readonly sections: readonly PackSection[];
}

/** The pack as one PDF. Other work of the process goes on between its sections. */
export async function renderClosePack(pack: ClosePack): Promise<Buffer> {
  const title = `Close of ${pack.month}`;
  return renderPaper({ title, author: 'Keyfare', at: pack.at }, async (pdf) => {
    drawHead(pdf, title, pack);
    for (const section of pack.sections) {
      drawSection(pdf, section);
      await setImmediate();
    }
    drawFeet(pdf, `${title} · as of ${timeText(pack.at)}`);
  });
}

/** As people read it: `2026-12-03 09:00 UTC`. */
export function timeText(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function drawHead(pdf: Pdf, title: string, { state, facts }: ClosePack): void {
  const width = page.right - page.left;
  pdf.font('bold').fontSize(20).text(title, page.left, page.top, { width });
  pdf
    .fontSize(10)
    .fillColor(state === 'locked' ? faint : '#b42318')
    .text(state === 'locked' ? 'LOCKED' : 'OPEN: THE FIGURES MAY CHANGE', { width });
  pdf.y += gap;
  for (const [name, said] of facts) {
    const { y } = pdf;
    pdf.font('regular').fontSize(9).fillColor(faint).text(name, page.left, y, { width: 90 });
    pdf.fillColor(ink).text(said, page.left + 95, y, { width: width - 95 });
    pdf.y += 2;
  }
}

function drawSection(pdf: Pdf, { title, columns, rows, note }: PackSection): void {
  // A heading never stands alone at a page's end.
  makeRoom(pdf, 90);
  const width = page.right - page.left;
  pdf
    .font('bold')
    .fontSize(12)
    .fillColor(ink)
    .text(title, page.left, pdf.y + 18, { width });
  if (rows.length === 0) drawNote(pdf, 'None.', width);
  else drawTable(pdf, placed(columns), rows, 8);
  if (note !== undefined) drawNote(pdf, note, width);
}

function drawNote(pdf: Pdf, text: string, width: number): void {
  makeRoom(pdf, 20);
  pdf
    .font('regular')
    .fontSize(8)
    .fillColor(faint)
    .text(text, page.left, pdf.y + 4, { width })
    .fillColor(ink);
}

const between = 8;

function placed(columns: PackSection['columns']): readonly PaperColumn[] {
  const whole = columns.reduce((sum, { share }) => sum + share, 0);
  const free = page.right - page.left - between * (columns.length - 1);
  let x: number = page.left;
  return columns.map(({ title, share, isNumber = false }) => {
    const width = (free * share) / whole;
    const column = { title, x, width, align: isNumber ? 'right' : 'left' } as const;
    x += width + between;
    return column;
  });
}
