import { useState } from 'react';
import { billing, gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { ApiProblem } from '../../api/problem.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Field } from '../../ui/fields.js';
import { Page } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { clean, isId, isJws } from './document.js';
import { EntryStory } from './entry-story.js';
import { Proof } from './proof.js';

const unfiltered = { id: '' };

/** A receipt, pasted or found by its id, and whether it is genuine: this page finds out by itself. */
export default function Receipts() {
  const [filters, setFilters] = useAddress(unfiltered);
  const id = filters.id;
  const [text, setText] = useState(id);
  const [pasted, setPasted] = useState('');
  const [problem, setProblem] = useState('');
  const look = (): void => {
    const wanted = clean(text);
    setProblem('');
    if (isId(wanted)) {
      setPasted('');
      setFilters({ id: wanted.toLowerCase() });
    } else if (isJws(wanted)) {
      setPasted(wanted);
      setFilters({ id: '' });
    } else {
      setProblem(
        'That is neither an id, such as 01a19467-1128-744e-8ba4-22f5f56d2404, nor three parts with dots between.',
      );
    }
  };
  return (
    <Page title="Receipts">
      <form
        className="section"
        onSubmit={(event) => {
          event.preventDefault();
          look();
        }}
      >
        <Field
          label="A receipt, or its id"
          value={text}
          onChange={setText}
          isMultiline
          hint="The text of the answer's header, or the id in Receipt-Id. It stays in this browser until it is looked up by id."
        />
        {problem === '' ? null : <p role="alert">{problem}</p>}
        <Button type="submit" look="primary" isDisabled={text.trim() === ''}>
          Check
        </Button>
      </form>
      {pasted === '' && id === '' ? (
        <Empty>
          A receipt says what was called, by whom, when and for how much, and is signed. Whoever has it can prove it,
          without asking the one who signed.
        </Empty>
      ) : null}
      {pasted === '' ? null : <Proof jws={pasted} />}
      {pasted === '' && id !== '' ? <ById key={id} id={id} /> : null}
    </Page>
  );
}

/** What is stored under an id: the document, and what became of its entry in the books. */
function ById({ id }: { readonly id: string }) {
  const found = useRead(['receipt', id], async () => {
    const [receipt, entry] = await Promise.all([
      missing(async () => ok<string>(gate.GET('/receipts/{id}', { params: { path: { id } }, parseAs: 'text' }))),
      missing(async () => ok(billing.GET('/entries/{id}', { params: { path: { id } } }))),
    ]);
    if (receipt === null && entry === null) {
      throw new ApiProblem(
        404,
        'receipt/not-found',
        'Neither a receipt nor an entry that billing has read has this id.',
      );
    }
    return { jws: entry?.receipt ?? receipt, entry };
  });
  return (
    <Shown of={found} what="Looking for it">
      {({ jws, entry }) => (
        <>
          {jws === null ? <Empty>The entry has no document.</Empty> : <Proof jws={jws} />}
          {entry === null ? (
            <Empty>Billing has not read its entry yet: nothing of it is in the books.</Empty>
          ) : (
            <EntryStory entry={entry} />
          )}
        </>
      )}
    </Shown>
  );
}

/** Null for what is not there: a receipt may be known to one program alone. */
async function missing<T>(read: () => Promise<T>): Promise<T | null> {
  return read().catch((error: unknown) => {
    if (error instanceof ApiProblem && error.status === 404) return null;
    throw error;
  });
}
