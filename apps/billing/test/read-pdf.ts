import { extractText } from 'unpdf';

/** What a PDF says, read by pdf.js, which did not write it: all of it with single blanks, and page by page. */
export async function readPdf(
  content: Uint8Array,
): Promise<{ readonly text: string; readonly pages: readonly string[] }> {
  // pdf.js takes the bytes over.
  const { text } = await extractText(Uint8Array.from(content), { mergePages: false });
  const pages = text.map((page) => page.replaceAll(/\s+/gu, ' '));
  return { text: pages.join(' '), pages };
}
