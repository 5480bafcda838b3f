import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState, useSyncExternalStore } from 'react';
import { billing, ok } from '../api/client.js';
import { door } from '../api/door.js';
import { sessionStore, setSession } from '../api/session.js';
import { Button } from '../ui/button.js';
import { Dialog, FormDialog } from '../ui/dialog.js';
import { Field } from '../ui/fields.js';
import { Fault } from '../ui/states.js';

/** Signs in with name and password; also over a page whose session has ended. */
function SignInForm({ name: known = '', onDone }: { readonly name?: string; readonly onDone?: () => void }) {
  const [name, setName] = useState(known);
  const [password, setPassword] = useState('');
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  const submit = async (): Promise<void> => {
    setSending(true);
    setError(undefined);
    try {
      setSession(await ok(billing.POST('/session', { body: { name, password } })));
      onDone?.();
    } catch (fault) {
      setError(fault);
      setPassword('');
    } finally {
      setSending(false);
    }
  };
  return (
    <form
      className="sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isSending) void submit();
      }}
    >
      <Field
        label="Name"
        name="username"
        autoComplete="username"
        value={name}
        onChange={setName}
        isRequired
        autoFocus={known === ''}
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        value={password}
        onChange={setPassword}
        isRequired
        autoFocus={known !== ''}
      />
      {error === undefined ? null : <Fault error={error} />}
      <Button type="submit" look="primary" isDisabled={isSending}>
        {isSending ? 'Signing in…' : 'Sign in'}
      </Button>
    </form>
  );
}

/** Where a person comes in. */
export const SignInPage = ({ children }: { readonly children?: ReactNode }) => (
  <main className="front">
    <h1>Keyfare</h1>
    {children}
    <SignInForm />
    <p className="muted">Who has no password yet asks an administrator for a link that lets in once.</p>
  </main>
);

/** The dialogs that a call waits for: the page behind stays as it is, with all that was written into it. */
export function Doors() {
  const waiting = useSyncExternalStore(door.subscribe, door.read);
  const session = useSyncExternalStore(sessionStore.subscribe, sessionStore.read);
  const queries = useQueryClient();
  const [password, setPassword] = useState('');
  if (waiting === undefined) return null;
  if (waiting.wanted === 'sign-in') {
    return (
      <Dialog title="Your session has ended" isOpen onClose={waiting.close}>
        <p>Sign in again; what you have written here stays.</p>
        <SignInForm
          name={session?.operator.name ?? ''}
          onDone={() => {
            waiting.open();
            void queries.invalidateQueries();
          }}
        />
      </Dialog>
    );
  }
  return (
    <FormDialog
      title="Your password, please"
      action="Go on"
      isOpen
      isReady={password !== ''}
      onClose={() => {
        setPassword('');
        // After it went well nobody waits any more, and this does nothing.
        door.read()?.close();
      }}
      onSubmit={async () => {
        setSession(await ok(billing.POST('/session/confirm', { body: { password } })));
        waiting.open();
      }}
    >
      <p>What you are about to do needs it once more.</p>
      <Field
        label="Password"
        type="password"
        autoComplete="current-password"
        value={password}
        onChange={setPassword}
        autoFocus
      />
    </FormDialog>
  );
}
