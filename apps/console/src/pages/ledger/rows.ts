import { useMemo } from 'react';
import type { Endless } from '../../api/hooks.js';

/** Rows of a report have no name of their own: each gets its place. */
export function usePlaced<T extends object>(list: Endless<T>): Endless<T & { readonly place: number }> {
  const { rows } = list;
  const placed = useMemo(() => rows.map((row, place) => ({ ...row, place })), [rows]);
  return { ...list, rows: placed };
}
