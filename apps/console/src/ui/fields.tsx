import { type ReactNode, useId } from 'react';
import {
  Button as AriaButton,
  Select as AriaSelect,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SelectValue,
  Text,
  TextArea,
  TextField,
} from 'react-aria-components';

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly hint?: string;
  readonly isRequired?: boolean;
  readonly isMultiline?: boolean;
  readonly type?: 'text' | 'password' | 'date' | 'month' | 'search';
  readonly name?: string;
  readonly autoComplete?: string;
  readonly autoFocus?: boolean;
  readonly maxLength?: number;
  readonly placeholder?: string;
  readonly isLabelHidden?: boolean;
  readonly isDisabled?: boolean;
  /** What the browser offers as it is written; anything else may be written too. */
  readonly suggestions?: readonly { readonly value: string; readonly label: string }[];
}

/** A text with its label, its hint and what is wrong with it, tied together for a screen reader. */
export function Field({ label, hint, isMultiline = false, placeholder, isLabelHidden = false, ...props }: FieldProps) {
  const { type, suggestions, ...rest } = props;
  const list = useId();
  return (
    // `month` and `date` are what the browser itself offers a picker for.
    <TextField
      {...rest}
      {...(type === undefined ? {} : { type })}
      className="field"
      {...(isLabelHidden ? { 'aria-label': label } : {})}
    >
      {isLabelHidden ? null : <Label>{label}</Label>}
      {isMultiline ? (
        <TextArea rows={3} />
      ) : (
        <Input
          {...(placeholder === undefined ? {} : { placeholder })}
          {...(suggestions === undefined ? {} : { list })}
        />
      )}
      {suggestions === undefined ? null : (
        <datalist id={list}>
          {suggestions.map(({ value, label: text }) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </datalist>
      )}
      {hint === undefined ? null : <Text slot="description">{hint}</Text>}
      <FieldError />
    </TextField>
  );
}

export interface Choice {
  readonly id: string;
  readonly label: ReactNode;
  /** For typing ahead, where the label is no text. */
  readonly text?: string;
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (id: string) => void;
  readonly choices: readonly Choice[];
  readonly isLabelHidden?: boolean;
  readonly hint?: string;
  readonly isDisabled?: boolean;
}

/** One of several. */
export function Select({
  label,
  value,
  onChange,
  choices,
  isLabelHidden = false,
  hint,
  isDisabled = false,
}: SelectProps) {
  return (
    <AriaSelect
      className="field select"
      value={value}
      isDisabled={isDisabled}
      onChange={(key) => onChange(String(key))}
      {...(isLabelHidden ? { 'aria-label': label } : {})}
    >
      {isLabelHidden ? null : <Label>{label}</Label>}
      <AriaButton className="select-button">
        <SelectValue />
        <span aria-hidden="true">▾</span>
      </AriaButton>
      {hint === undefined ? null : <Text slot="description">{hint}</Text>}
      <Popover className="popover">
        <ListBox className="list-box" items={choices}>
          {(choice) => (
            <ListBoxItem
              id={choice.id}
              textValue={choice.text ?? (typeof choice.label === 'string' ? choice.label : choice.id)}
            >
              {choice.label}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}
