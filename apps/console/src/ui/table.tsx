import { useVirtualizer } from '@tanstack/react-virtual';
import {
  type CSSProperties,
  type KeyboardEvent,
  memo,
  type ReactNode,
  useCallback,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { Endless } from '../api/hooks.js';
import { Button } from './button.js';
import { saveFile, toCsv } from './csv.js';
import { Empty, Fault, Loading } from './states.js';

export interface Column<T> {
  readonly title: string;
  /** What the cell says, as in the exported file. */
  readonly text: (row: T) => string;
  /** How it is shown. @default its text */
  readonly cell?: (row: T) => ReactNode;
  /** CSS track. @default `minmax(8rem, 1fr)` */
  readonly width?: string;
  readonly isNumber?: boolean;
}

interface Selection {
  readonly keys: ReadonlySet<string>;
  readonly change: (keys: ReadonlySet<string>) => void;
}

interface TableProps<T> {
  /** What is in it, for a screen reader and as the name of the file. */
  readonly name: string;
  readonly columns: readonly Column<T>[];
  readonly list: Endless<T>;
  readonly keyOf: (row: T) => string;
  /** A click on a row, or Enter. */
  readonly onOpen?: (row: T) => void;
  readonly selection?: Selection;
  readonly empty?: ReactNode;
  readonly actions?: ReactNode;
  /** Takes the place of the file that is made here, where the API has one. */
  readonly exports?: ReactNode;
}

const rowHeight = 40;
/** No more rows than these go into a file from here: the reports have an export of their own. */
const maxExported = 100_000;

/**
 * A list of any length: only the rows in view are in the document, further ones are read as they come near. By keyboard:
 * arrows or j and k, Home, End, Enter opens, x or Space selects.
 */
export function Table<T>({ name, columns, list, keyOf, onOpen, selection, empty, actions, exports }: TableProps<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  const [active, setActive] = useState(0);
  const [sort, setSort] = useState<{ readonly column: number; readonly isDown: boolean }>();
  const { rows: read, hasMore } = list;
  // What is not all here cannot be sorted here.
  const rows = useMemo(
    () => (sort === undefined || hasMore ? read : sorted(read, columns[sort.column], sort.isDown)),
    [read, columns, sort, hasMore],
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const { more } = list;
  useEffect(() => {
    if (hasMore && last >= rows.length - 30) more();
  }, [hasMore, last, rows.length, more]);

  const go = (to: number): void => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setActive(next);
    virtual.scrollToIndex(next);
  };
  const toggle = useCallback(
    (row: T): void => {
      if (selection === undefined) return;
      const keys = new Set(selection.keys);
      const key = keyOf(row);
      if (!keys.delete(key)) keys.add(key);
      selection.change(keys);
    },
    [selection, keyOf],
  );
  const open = useCallback(
    (index: number, row: T): void => {
      setActive(index);
      onOpen?.(row);
    },
    [onOpen],
  );
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[active];
    const steps: Readonly<Record<string, () => void>> = {
      ArrowDown: () => go(active + 1),
      j: () => go(active + 1),
      ArrowUp: () => go(active - 1),
      k: () => go(active - 1),
      PageDown: () => go(active + 12),
      PageUp: () => go(active - 12),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      Enter: () => (row === undefined ? undefined : onOpen?.(row)),
      x: () => (row === undefined ? undefined : toggle(row)),
      ' ': () => (row === undefined ? undefined : toggle(row)),
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    step();
  };

  const hasChecks = selection !== undefined;
  const tracks = useMemo(() => {
    const widths = [...(hasChecks ? ['2.5rem'] : []), ...columns.map(({ width }) => width ?? 'minmax(8rem, 1fr)')];
    return { gridTemplateColumns: widths.join(' '), minWidth: `${leastWidth(widths)}rem` };
  }, [hasChecks, columns]);
  if (list.isLoading) return <Loading what={`Loading ${name}`} />;
  if (list.error !== null && rows.length === 0) return <Fault error={list.error} again={list.again} />;
  return (
    <div className="table-box">
      <div className="table-tools">
        <span className="table-count" role="status">
          {rows.length}
          {hasMore ? '+' : ''} {rows.length === 1 && !hasMore ? 'row' : 'rows'}
          {selection === undefined || selection.keys.size === 0 ? '' : `, ${selection.keys.size} selected`}
        </span>
        {actions}
        {exports ?? <ExportButton name={name} columns={columns} list={list} />}
      </div>
      {list.error === null ? null : <Fault error={list.error} again={list.again} />}
      {rows.length === 0 ? (
        <Empty>{empty ?? `There are no ${name}.`}</Empty>
      ) : (
        <div
          ref={scroller}
          className="table"
          role="grid"
          aria-label={name}
          aria-rowcount={hasMore ? -1 : rows.length + 1}
          aria-multiselectable={selection === undefined ? undefined : true}
          aria-activedescendant={items.some(({ index }) => index === active) ? `${id}-${active}` : undefined}
          tabIndex={0}
          onKeyDown={onKeyDown}
        >
          <div className="table-row table-head" role="row" aria-rowindex={1} style={tracks}>
            {selection === undefined ? null : (
              <div role="columnheader" className="cell check">
                <input
                  type="checkbox"
                  aria-label="Select all that are loaded"
                  tabIndex={-1}
                  checked={selection.keys.size > 0 && selection.keys.size === rows.length}
                  onChange={({ target }) => selection.change(new Set(target.checked ? rows.map(keyOf) : []))}
                />
              </div>
            )}
            {columns.map(({ title, isNumber }, index) => (
              <div
                key={title}
                role="columnheader"
                className={isNumber === true ? 'cell number' : 'cell'}
                aria-sort={sort?.column === index && !hasMore ? (sort.isDown ? 'descending' : 'ascending') : undefined}
              >
                {hasMore ? (
                  title
                ) : (
                  <button
                    type="button"
                    tabIndex={-1}
                    className="sort"
                    onClick={() => setSort({ column: index, isDown: sort?.column === index && !sort.isDown })}
                  >
                    {title}
                    {sort?.column === index ? (sort.isDown ? ' ↓' : ' ↑') : ''}
                  </button>
                )}
              </div>
            ))}
          </div>
          <div
            className="table-body"
            role="rowgroup"
            style={{ height: virtual.getTotalSize(), minWidth: tracks.minWidth }}
          >
            {items.map(({ index, start }) => {
              const row = rows[index] as T;
              const key = keyOf(row);
              return (
                <Row
                  key={key}
                  id={`${id}-${index}`}
                  row={row}
                  index={index}
                  start={start}
                  columns={columns}
                  tracks={tracks}
                  isActive={index === active}
                  isSelected={selection?.keys.has(key)}
                  onOpen={open}
                  onToggle={hasChecks ? toggle : undefined}
                />
              );
            })}
          </div>
        </div>
      )}
    </div>
  );
}

interface RowProps<T> {
  readonly id: string;
  readonly row: T;
  readonly index: number;
  readonly start: number;
  readonly columns: readonly Column<T>[];
  readonly tracks: CSSProperties;
  readonly isActive: boolean;
  readonly isSelected: boolean | undefined;
  readonly onOpen: (index: number, row: T) => void;
  /** Of a table whose rows can be selected. */
  readonly onToggle: ((row: T) => void) | undefined;
}

/** Drawn once: while the table is scrolled, only rows that come into view are drawn. */
const Row = memo(function Row<T>({
  id,
  row,
  index,
  start,
  columns,
  tracks,
  isActive,
  isSelected,
  onOpen,
  onToggle,
}: RowProps<T>) {
  return (
    <div
      id={id}
      className={isActive ? 'table-row active' : 'table-row'}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      style={{ ...tracks, transform: `translateY(${start}px)` }}
      onClick={() => onOpen(index, row)}
    >
      {onToggle === undefined ? null : (
        <div role="gridcell" className="cell check">
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={`Select ${columns[0]?.text(row)}`}
            checked={isSelected === true}
            onClick={(event) => event.stopPropagation()}
            onChange={() => onToggle(row)}
          />
        </div>
      )}
      {columns.map((column) => (
        <div
          key={column.title}
          role="gridcell"
          className={column.isNumber === true ? 'cell number' : 'cell'}
          title={column.text(row)}
        >
          <bdi>{column.cell?.(row) ?? column.text(row)}</bdi>
        </div>
      ))}
    </div>
  );
}) as <T>(props: RowProps<T> & { readonly key?: string }) => ReactNode;

/** What the tracks need at least, in rem: rows are as wide as their head, whatever is in them. */
const leastWidth = (widths: readonly string[]): number =>
  widths.reduce((sum, width) => sum + Number(/([\d.]+)rem/.exec(width)?.[1] ?? 0), 0);

function sorted<T>(rows: readonly T[], column: Column<T> | undefined, isDown: boolean): readonly T[] {
  if (column === undefined) return rows;
  const number = /^-?\d+(\.\d+)?$/;
  const compare = (one: T, other: T): number => {
    const [a, b] = [column.text(one), column.text(other)];
    return number.test(a) && number.test(b) ? Number(a) - Number(b) : a.localeCompare(b);
  };
  const up = rows.toSorted(compare);
  return isDown ? up.toReversed() : up;
}

/** All rows as a file: what is not read yet is read first. */
function ExportButton<T>({ name, columns, list }: Pick<TableProps<T>, 'name' | 'columns' | 'list'>) {
  const [isWanted, setWanted] = useState(false);
  const { rows, hasMore, isFetching, more, error } = list;
  useEffect(() => {
    if (!isWanted) return;
    if (error !== null) setWanted(false);
    else if (hasMore && rows.length < maxExported) {
      if (!isFetching) more();
    } else {
      setWanted(false);
      saveFile(
        `${name}.csv`,
        toCsv([columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ text }) => text(row)))]),
        'text/csv',
      );
    }
  }, [isWanted, rows, hasMore, isFetching, more, error, columns, name]);
  return (
    <Button look="quiet" isDisabled={isWanted} onPress={() => setWanted(true)}>
      {isWanted ? `Reading ${rows.length}…` : 'Export CSV'}
    </Button>
  );
}

/** A list that is all here already. */
export const wholeList = <T,>(rows: readonly T[]): Endless<T> => ({
  rows,
  isLoading: false,
  isFetching: false,
  hasMore: false,
  error: null,
  more: () => undefined,
  again: () => undefined,
});
