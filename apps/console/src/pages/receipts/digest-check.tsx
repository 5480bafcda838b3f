import { formatDigest } from '@keyfare/core/receipt';
import { useState } from 'react';
import { Badge } from '../../ui/values.js';

interface DigestCheckProps {
  /** As the receipt has it, `sha-256=:…:`. */
  readonly digest: string;
}

type Outcome = 'same' | 'other' | 'impossible';

/** Whether a file is the answer that a receipt is of. The file does not leave the browser. */
export function DigestCheck({ digest }: DigestCheckProps) {
  const [outcome, setOutcome] = useState<Outcome>();
  const compare = async (file: File | undefined): Promise<void> => {
    setOutcome(undefined);
    if (file === undefined) return;
    // A browser keeps it to pages with TLS, and to this machine.
    const { subtle } = crypto as { readonly subtle?: SubtleCrypto };
    if (subtle === undefined) {
      setOutcome('impossible');
      return;
    }
    const found = formatDigest(new Uint8Array(await subtle.digest('SHA-256', await file.arrayBuffer())));
    setOutcome(found === digest ? 'same' : 'other');
  };
  return (
    <div className="field">
      <label>
        Is a file its answer?{' '}
        <input
          type="file"
          onChange={({ target }) => {
            void compare(target.files?.[0]);
          }}
        />
      </label>
      <p role="status">
        {outcome === 'same' ? (
          <>
            <Badge state="the same" tone="good" /> The file is what was answered, byte for byte.
          </>
        ) : null}
        {outcome === 'other' ? (
          <>
            <Badge state="another" tone="bad" /> The file is not what was answered: its digest is another one.
          </>
        ) : null}
        {outcome === 'impossible' ? 'This browser counts digests on pages with TLS only.' : null}
      </p>
    </div>
  );
}
