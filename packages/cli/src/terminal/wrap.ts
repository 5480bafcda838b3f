import stringWidth from 'string-width';

/**
 * The text in lines of at most `width` columns of a terminal, broken at blanks; a word that is longer is left whole, so
 * that it can be copied. Undefined: one line.
 */
export function wrapText(text: string, width: number | undefined): readonly string[] {
  if (width === undefined) return [text];
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && stringWidth(`${last} ${word}`) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
