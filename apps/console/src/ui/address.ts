import { useCallback } from 'react';
import { useSearchParams } from 'wouter';

/** What a list is filtered by, in the address. What is as it is without a filter is not written there. */
export function useAddress<Name extends string>(
  defaults: Readonly<Record<Name, string>>,
): readonly [Readonly<Record<Name, string>>, (changes: Partial<Record<Name, string>>) => void] {
  const [search, setSearch] = useSearchParams();
  const names = Object.keys(defaults) as Name[];
  const values = Object.fromEntries(names.map((name) => [name, search.get(name) ?? defaults[name]]));
  const set = useCallback(
    (changes: Partial<Record<Name, string>>): void =>
      setSearch(
        (before) => {
          const next = new URLSearchParams(before);
          for (const [name, value] of Object.entries(changes) as [Name, string][]) {
            if (value === defaults[name]) next.delete(name);
            else next.set(name, value);
          }
          return next;
        },
        { replace: true },
      ),
    [setSearch, defaults],
  );
  return [values as Record<Name, string>, set];
}

/** Only what was filled in, as a query of the API. */
export function filled<T extends object>(query: T): { [Name in keyof T]?: Exclude<T[Name], '' | undefined> } {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== '' && value !== undefined)) as {
    [Name in keyof T]?: Exclude<T[Name], '' | undefined>;
  };
}
