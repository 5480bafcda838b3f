import { useEffect, useRef, useState } from 'react';
import { useSearchParams } from 'wouter';
import { Field } from './fields.js';

interface Filters {
  /** Empty where the address does not have it. */
  get(name: string): string;
  /** Goes to the address, in place of what is there. */
  set(changes: Readonly<Record<string, string>>): void;
}

/** What a list is narrowed by, kept in the address so that the view can be sent to somebody. */
export function useFilters(): Filters {
  const [search, setSearch] = useSearchParams();
  return {
    get: (name) => search.get(name) ?? '',
    set: (changes) =>
      setSearch(
        (before) => {
          const next = new URLSearchParams(before);
          for (const [name, value] of Object.entries(changes)) {
            if (value === '') next.delete(name);
            else next.set(name, value);
          }
          return next;
        },
        { replace: true },
      ),
  };
}

/** How long nothing is typed before it is asked for. */
const pauseMs = 250;

interface SearchFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly hint?: string;
}

/** A text that is searched for while it is typed; `/` goes to the first of a page. */
export function SearchField({ label, value, onChange, hint }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const asked = useRef(value);
  // What comes back is what was asked for some letters ago; what somebody else asked for is shown.
  useEffect(() => {
    if (value !== asked.current) setText(value);
    asked.current = value;
  }, [value]);
  useEffect(() => {
    const wanted = text.trim();
    if (wanted === asked.current) return undefined;
    const timer = setTimeout(() => {
      asked.current = wanted;
      onChange(wanted);
    }, pauseMs);
    return () => clearTimeout(timer);
  }, [text, onChange]);
  return (
    <Field
      label={label}
      type="search"
      value={text}
      onChange={setText}
      maxLength={200}
      {...(hint === undefined ? {} : { hint })}
    />
  );
}
