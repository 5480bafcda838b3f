import { once } from 'node:events';
import { styleText } from 'node:util';
import type { Failure } from '../failure.js';
import { escapeLines, escapeText, safeJson } from './escape.js';
import { type Column, cellText, TableWriter } from './table.js';
import { wrapText } from './wrap.js';

/** A line of a record: its name, and what it says. */
export type Field = readonly [name: string, value: unknown];

/** A stream of the program, as `process.stdout` is one. */
export type Stream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** Where a program writes, and whether for people or for programs. */
export interface OutputSettings {
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** One JSON document on stdout, and nothing else there. */
  readonly json: boolean;
}

/** What a command has to say: its answer to stdout, everything else to stderr. */
export class Output {
  readonly json: boolean;
  readonly #stdout: Stream;
  readonly #stderr: Stream;

  constructor({ stdout, stderr, json }: OutputSettings) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Columns of the terminal that reads the answer; undefined where none does. */
  get width(): number | undefined {
    return this.#stdout.isTTY === true ? this.#stdout.columns : undefined;
  }

  /** One answer: its fields for people, the whole of it as JSON. */
  async record(answer: unknown, fields: readonly Field[]): Promise<void> {
    if (this.json) return this.document(answer);
    const width = Math.max(...fields.map(([name]) => name.length));
    const room = this.width === undefined ? undefined : Math.max(20, this.width - width - 2);
    for (const [name, value] of fields) {
      const [first = '', ...rest] = wrapText(cellText(value), room);
      await this.#print(`${name.padEnd(width)}  ${first}\n`);
      for (const line of rest) await this.#print(`${' '.repeat(width)}  ${line}\n`);
    }
  }

  /** One JSON document. */
  async document(answer: unknown): Promise<void> {
    await this.#print(`${safeJson(answer, 2)}\n`);
  }

  /**
   * A list that arrives in parts, shown as they arrive. As JSON it is `{ "items": […], "more": … }`; where a later part
   * cannot be had the document stays unfinished, so that nobody takes a part for the whole.
   */
  async list<Row>(parts: AsyncIterable<ListPart<Row>>, columns: readonly Column<Row>[]): Promise<void> {
    const table = new TableWriter(columns, { width: this.width });
    let separator = '\n';
    let more = false;
    if (this.json) await this.#print('{ "items": [');
    else if (columns.length === 0) await this.#print('nothing\n');
    for await (const part of parts) {
      more = part.more;
      if (this.json) {
        for (const row of part.items) {
          await this.#print(`${separator}  ${safeJson(row)}`);
          separator = ',\n';
        }
      } else if (columns.length > 0) {
        for (const line of table.lines(part.items)) await this.#print(`${line}\n`);
      }
    }
    if (this.json) await this.#print(`${separator === '\n' ? '' : '\n'}], "more": ${String(more)} }\n`);
    else if (more) this.note('There are more: --limit says how many are shown.');
  }

  /** A table whose rows are all here, after the record it belongs to; nothing with `json`, which has it already. */
  async table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): Promise<void> {
    if (this.json) return;
    const table = new TableWriter(columns, { width: this.width });
    for (const line of table.lines(rows)) await this.#print(`${line}\n`);
  }

  /** A line for people; nothing with `json`. */
  async line(text: string): Promise<void> {
    if (!this.json) await this.#print(`${escapeText(text)}\n`);
  }

  /** Text in its own format, such as CSV. On a terminal what is no plain text is spelled out. */
  async raw(text: string): Promise<void> {
    await this.#print(this.#stdout.isTTY === true ? escapeLines(text) : text);
  }

  /** Something to know beside the answer: to stderr. */
  note(text: string): void {
    this.#stderr.write(`${escapeText(text)}\n`);
  }

  /** Why there is no answer: to stderr, as one JSON document with `json`. */
  failure(failure: Failure): void {
    if (this.json) {
      this.#stderr.write(`${safeJson({ error: failure.document })}\n`);
      return;
    }
    const head = this.#colours(this.#stderr) ? paint('red', 'error:') : 'error:';
    this.#stderr.write(`${head} ${escapeText(failure.message)}\n`);
    for (const line of failure.lines) this.#stderr.write(`  ${escapeText(line)}\n`);
  }

  /** The word in a colour, where stdout is a terminal that has them and nobody asked for none (NO_COLOR). */
  coloured(colour: 'green' | 'yellow' | 'red' | 'dim', text: string): string {
    return this.#colours(this.#stdout) ? paint(colour, text) : text;
  }

  /** As `line`, of words that `coloured` made: everything else in it must be escaped. */
  async styledLine(text: string): Promise<void> {
    if (!this.json) await this.#print(`${text}\n`);
  }

  #colours(stream: Stream): boolean {
    const { NO_COLOR: none = '', TERM: terminal } = process.env;
    return stream.isTTY === true && none === '' && terminal !== 'dumb';
  }

  /** Waits while the reader is slower: a long list is never held in memory. */
  async #print(text: string): Promise<void> {
    if (!this.#stdout.write(text)) await once(this.#stdout, 'drain');
  }
}

/** Whether the stream has colours was asked already, and of the right stream. */
function paint(colour: 'green' | 'yellow' | 'red' | 'dim', text: string): string {
  return styleText(colour, text, { validateStream: false });
}

/** A part of a list, and whether there is more behind it. */
export interface ListPart<Row> {
  readonly items: readonly Row[];
  readonly more: boolean;
}
