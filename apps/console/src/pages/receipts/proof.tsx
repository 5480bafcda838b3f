import { parseJwks } from '@keyfare/core/receipt';
import { useMemo, useState } from 'react';
import { gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Field } from '../../ui/fields.js';
import { Section } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { Badge, Id } from '../../ui/values.js';
import { DigestCheck } from './digest-check.js';
import { check, kindName, read, type Verdict } from './document.js';
import { Members } from './members.js';
import { reasonWords } from './words.js';

/** What a document says, and whether one of the published keys signed it. */
export function Proof({ jws }: { readonly jws: string }) {
  const shown = useMemo(() => read(jws), [jws]);
  const [ownKeys, setOwnKeys] = useState('');
  const published = useRead(['jwks'], async () => parseJwks(await ok(gate.GET('/.well-known/jwks.json'))));
  if (shown === null) {
    return (
      <Section title="Not a signed document">
        <Empty>Its parts are not base64url of JSON. Was all of it pasted?</Empty>
      </Section>
    );
  }
  const digest = shown.payload['responseDigest'];
  return (
    <>
      <Section title={kindName(shown)}>
        <Shown of={published} what="Reading the published keys">
          {(keys) => {
            const own = ownKeys.trim() === '' ? undefined : keysOf(ownKeys);
            if (own === null) return <Empty>The keys that were given are no JSON Web Key Set.</Empty>;
            return (
              <Outcome
                verdict={check(shown, own ?? keys)}
                isOwn={own !== undefined}
                count={(own ?? keys).keys.length}
              />
            );
          }}
        </Shown>
        <Members of={shown.payload} caption="What it says" />
        {typeof digest === 'string' ? <DigestCheck key={digest} digest={digest} /> : null}
      </Section>
      <details className="section">
        <summary>Header, raw form, and keys of your own</summary>
        <Members of={shown.header} caption="Its header" />
        <Field
          label="Check with these keys instead (a JSON Web Key Set)"
          value={ownKeys}
          onChange={setOwnKeys}
          isMultiline
          hint="Empty: those that the API publishes at /.well-known/jwks.json."
        />
        <h3>Raw form</h3>
        <pre className="secret" tabIndex={0} role="region" aria-label="Raw form">
          {shown.jws}
        </pre>
        <h3>Payload</h3>
        <pre className="secret" tabIndex={0} role="region" aria-label="Payload">
          {JSON.stringify(shown.payload, null, 2)}
        </pre>
      </details>
    </>
  );
}

function keysOf(text: string): ReturnType<typeof parseJwks> | null {
  try {
    return parseJwks(JSON.parse(text));
  } catch {
    return null;
  }
}

interface OutcomeProps {
  readonly verdict: Verdict;
  readonly isOwn: boolean;
  readonly count: number;
}

function Outcome({ verdict, isOwn, count }: OutcomeProps) {
  const keys = `${count} ${isOwn ? 'of your own' : 'published'} ${count === 1 ? 'key' : 'keys'}`;
  if (verdict.ok) {
    return (
      <p className="verdict good" role="status">
        <Badge state="genuine" tone="good" /> Signed by <Id value={verdict.kid} length={44} />, letter by letter as it
        stands here. Checked in this browser with {keys}.
      </p>
    );
  }
  return (
    <p className="verdict bad" role="alert">
      <Badge state="not genuine" tone="bad" /> {reasonWords[verdict.reason] ?? verdict.detail} {verdict.detail}{' '}
      <code>{verdict.reason}</code> Checked in this browser with {keys}.
    </p>
  );
}
