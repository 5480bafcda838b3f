import stringWidth from 'string-width';
import { escapeText } from './escape.js';

/** One column of a table: its heading, and the cell of a row. */
export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => unknown;
  /** Figures stand at the right. */
  readonly alignsRight?: boolean;
}

/** Where a table is printed. */
export interface TableSpace {
  /** Columns of the terminal; undefined where nothing wraps, as in a file or a pipe: then nothing is cut. */
  readonly width?: number | undefined;
}

const gap = '  ';
const leastWidth = 4;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * Prints rows below each other. The widths are those of the first part, so that later parts can follow as they arrive;
 * on a terminal a line never wraps: the widest columns are cut, and what is cut ends in `…`.
 */
export class TableWriter<Row> {
  #widths: readonly number[] | undefined;

  constructor(
    private readonly columns: readonly Column<Row>[],
    private readonly space: TableSpace = {},
  ) {}

  /** The lines of these rows, with the headings before the first. */
  lines(rows: readonly Row[]): readonly string[] {
    const cells = rows.map((row) => this.columns.map(({ cell }) => cellText(cell(row))));
    const headings = this.columns.map(({ heading }) => heading);
    const isFirst = this.#widths === undefined;
    this.#widths ??= fit(widthsOf([headings, ...cells]), this.space.width);
    return (isFirst ? [headings, ...cells] : cells).map((line) => this.#line(line));
  }

  #line(cells: readonly string[]): string {
    const widths = this.#widths ?? [];
    return cells
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        const shown = this.space.width === undefined ? cell : cut(cell, width);
        const padding = ' '.repeat(Math.max(0, width - stringWidth(shown)));
        return this.columns[index]?.alignsRight === true ? padding + shown : shown + padding;
      })
      .join(gap)
      .trimEnd();
  }
}

/** A value as a cell: nothing as `-`, lists with commas, and never a control character. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(cellText).join(', ');
  return escapeText(typeof value === 'string' ? value : (JSON.stringify(value) ?? '-'));
}

/** The text in that many columns of a terminal. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let shown = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += stringWidth(segment);
    if (used > width - 1) break;
    shown += segment;
  }
  return `${shown}…`;
}

function widthsOf(lines: readonly (readonly string[])[]): readonly number[] {
  const [first = []] = lines;
  return first.map((_, index) => lines.reduce((most, line) => Math.max(most, stringWidth(line[index] ?? '')), 0));
}

/** Takes from the widest column, one by one, until the line fits; no column goes below four. */
function fit(widths: readonly number[], width: number | undefined): readonly number[] {
  if (width === undefined) return widths;
  const fitted = [...widths];
  const room = width - gap.length * (widths.length - 1);
  for (let over = fitted.reduce((sum, one) => sum + one, 0) - room; over > 0; over -= 1) {
    const widest = Math.max(...fitted);
    if (widest <= leastWidth) break;
    fitted[fitted.indexOf(widest)] = widest - 1;
  }
  return fitted;
}
