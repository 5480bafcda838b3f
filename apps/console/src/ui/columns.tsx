import type { ReactNode } from 'react';
import type { Column } from './table.js';
import { Badge, Count, Day, Id, Moment, Money } from './values.js';

type Text = string | null | undefined;
type Of<T> = (row: T) => Text;

const make = <T,>(
  title: string,
  of: Of<T>,
  cell: (value: Text, row: T) => ReactNode,
  more: Partial<Column<T>> = {},
) => ({
  title,
  text: (row: T) => of(row) ?? '',
  cell: (row: T) => cell(of(row), row),
  ...more,
});

/** Columns of what the API's lists are made of. The file has the API's text, the page what is for people. */
export const column = {
  text: <T,>(title: string, of: Of<T>, width?: string): Column<T> => ({
    title,
    text: (row) => of(row) ?? '',
    ...(width === undefined ? {} : { width }),
  }),
  money: <T,>(title: string, of: Of<T>, asset: Of<T>, width?: string): Column<T> =>
    make(title, of, (value, row) => <Money amount={value} asset={asset(row)} />, {
      isNumber: true,
      ...(width === undefined ? {} : { width }),
    }),
  count: <T,>(title: string, of: Of<T>, width = '7rem'): Column<T> =>
    make(title, of, (value) => <Count value={value} />, { isNumber: true, width }),
  moment: <T,>(title: string, of: Of<T>): Column<T> =>
    make(title, of, (value) => <Moment at={value} />, { width: '13rem' }),
  day: <T,>(title: string, of: Of<T>): Column<T> => make(title, of, (value) => <Day of={value} />, { width: '8rem' }),
  id: <T,>(title: string, of: Of<T>, width = '10rem'): Column<T> =>
    make(title, of, (value) => <Id value={value} />, { width }),
  state: <T,>(title: string, of: Of<T>, width = '10rem'): Column<T> =>
    make(title, of, (value) => (value === null || value === undefined ? null : <Badge state={value} />), { width }),
};
