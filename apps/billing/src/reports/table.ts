import type { Statement } from '@keyfare/db/sql';

/** A cell as it is shown: amounts and counts are text, so that no reader rounds them. */
export type Cell = string | number | null;

/** One report: a query, and each of its rows as named cells, whatever it is shown as. */
export interface Table<Row = never, View extends Readonly<Record<string, Cell>> = Readonly<Record<string, Cell>>> {
  /** Names the file. */
  readonly name: string;
  readonly columns: readonly (keyof View & string)[];
  readonly statement: Statement;
  readonly view: (row: Row) => View;
}
