import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Field } from '../../ui/fields.js';
import { Section } from '../../ui/page.js';
import { Fault } from '../../ui/states.js';
import { Moment } from '../../ui/values.js';

/** What people said about a break. */
export function Comments({ id }: { readonly id: string }) {
  const queries = useQueryClient();
  const may = useMay('write');
  const [text, setText] = useState('');
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  const list = useEndless(['comments', id], async (cursor) =>
    ok(
      billing.GET('/breaks/{id}/comments', { params: { path: { id }, query: cursor === undefined ? {} : { cursor } } }),
    ),
  );
  const send = async (): Promise<void> => {
    setError(undefined);
    setSending(true);
    try {
      await ok(billing.POST('/breaks/{id}/comments', { params: { path: { id } }, body: { text } }));
      setText('');
      await queries.invalidateQueries({ queryKey: ['comments', id] });
    } catch (fault) {
      setError(fault);
    } finally {
      setSending(false);
    }
  };
  return (
    <Section title="Comments">
      {list.error === null ? null : <Fault error={list.error} again={list.again} />}
      <ul className="timeline">
        {list.rows.map(({ id: key, at, operator, text: said }) => (
          <li key={key}>
            <strong>
              <bdi>{operator.name}</bdi>
            </strong>{' '}
            <span className="muted">
              <Moment at={at} />
            </span>
            <div>{said}</div>
          </li>
        ))}
      </ul>
      {list.hasMore ? <Button onPress={list.more}>Further comments</Button> : null}
      {may ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (text !== '' && !isSending) void send();
          }}
        >
          <Field label="Comment" value={text} onChange={setText} isMultiline />
          {error === undefined ? null : <Fault error={error} />}
          <Button type="submit" isDisabled={text === '' || isSending}>
            Comment
          </Button>
        </form>
      ) : null}
    </Section>
  );
}
