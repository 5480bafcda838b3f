import { drawFeet, makeRoom, page, renderPaper } from './paper.js';

/** A letter as a PDF; empty lines part its paragraphs, and the one that is the title is bold. */
export async function renderLetter({
  title,
  text,
  at,
}: {
  readonly title: string;
  readonly text: string;
  /** When it was written: the date of the PDF. */
  readonly at: Date;
}): Promise<Buffer> {
  return renderPaper({ title, author: 'Keyfare', at }, (pdf) => {
    const width = page.right - page.left;
    pdf.y = page.top + 60;
    for (const paragraph of text.trimEnd().split('\n\n')) {
      for (const line of paragraph.split('\n')) {
        pdf.font(paragraph === title ? 'bold' : 'regular').fontSize(10);
        makeRoom(pdf, pdf.heightOfString(line, { width }));
        pdf.text(line, page.left, pdf.y, { width });
      }
      pdf.y += pdf.currentLineHeight(true);
    }
    drawFeet(pdf, title);
  });
}
