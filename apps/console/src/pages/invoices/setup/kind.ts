import type { Choice } from '../../../ui/fields.js';
import type { Column } from '../../../ui/table.js';

/** What a form has of a row: the text of each field by its name. */
export type Values = Readonly<Record<string, string>>;

export interface FieldOf {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly type?: 'date';
  readonly isMultiline?: boolean;
  readonly isOptional?: boolean;
  /** One of these only. */
  readonly choices?: readonly Choice[];
  /** Where it is looked up: the browser offers what was found. */
  readonly offers?: 'customers' | 'sellers' | 'accounts' | 'tax-codes';
  /** It is said when the row is made, and stays. */
  readonly isFixed?: boolean;
}

type ListPage<Row> = { readonly items: readonly Row[]; readonly next: string | null };

/** One kind of master data: how it is listed, entered and changed. */
export interface Kind<Row extends { readonly id: string }> {
  /** Of the list, and of one. */
  readonly title: string;
  readonly one: string;
  readonly says: string;
  /** Of its reads. */
  readonly key: string;
  readonly columns: readonly Column<Row>[];
  readonly fields: readonly FieldOf[];
  readonly fresh: Values;
  readonly read: (cursor: string | undefined) => Promise<ListPage<Row>>;
  readonly valuesOf: (row: Row) => Values;
  readonly add: (values: Values) => Promise<unknown>;
  /** Absent: what was entered is never changed. */
  readonly change?: (row: Row, values: Values) => Promise<unknown>;
  /** Where a row leads. @default its form */
  readonly hrefOf?: (row: Row) => string;
}

/** An empty field says nothing. */
export const orNull = (text: string | undefined): string | null =>
  text === undefined || text.trim() === '' ? null : text.trim();

export const textOf = (values: Values, name: string): string => values[name]?.trim() ?? '';

/** A day of the books as the moment at which it begins. */
export const startOf = (day: string): string => `${day}T00:00:00.000Z`;
