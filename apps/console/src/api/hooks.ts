import { keepPreviousData, type UseQueryResult, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { type Scope, type Session, sessionStore } from './session.js';

/** What a read is known by: the route and what it was asked with. */
export type Key = readonly unknown[];

/** Reads once, and again when it is looked at again. What was read before stays until the new is there. */
export function useRead<T>(
  key: Key,
  read: () => Promise<T>,
  options: { readonly everyMs?: number } = {},
): UseQueryResult<T> {
  return useQuery({
    queryKey: key,
    queryFn: read,
    placeholderData: keepPreviousData,
    ...(options.everyMs === undefined ? {} : { refetchInterval: options.everyMs }),
  });
}

interface ListPage<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** A list that is read further as it is scrolled. */
export interface Endless<T> {
  readonly rows: readonly T[];
  readonly isLoading: boolean;
  readonly isFetching: boolean;
  readonly hasMore: boolean;
  readonly error: Error | null;
  readonly more: () => void;
  readonly again: () => void;
}

/** Reads a list of the API page by page; `read` gets the cursor of the page that follows. */
export function useEndless<T>(key: Key, read: (cursor: string | undefined) => Promise<ListPage<T>>): Endless<T> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: async ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }: ListPage<T>) => next ?? undefined,
    placeholderData: keepPreviousData,
  });
  return {
    rows: query.data?.pages.flatMap(({ items }) => items) ?? [],
    isLoading: query.isPending,
    isFetching: query.isFetching,
    hasMore: query.hasNextPage,
    error: query.error,
    more: () => {
      if (query.hasNextPage && !query.isFetchingNextPage) void query.fetchNextPage();
    },
    again: () => void query.refetch(),
  };
}

/** Who has signed in: pages are shown to nobody else. */
export function useSession(): Session {
  const session = useSyncExternalStore(sessionStore.subscribe, sessionStore.read);
  if (session === null || session === undefined) throw new TypeError('a page was shown to nobody');
  return session;
}

/** Whether the operator may; the API decides all the same. */
export const useMay = (scope: Scope): boolean => useSession().operator.scopes.includes(scope);
