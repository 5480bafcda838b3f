import { useEffect, useRef, useState } from 'react';
import { Field } from './fields.js';

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
