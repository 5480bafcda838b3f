import { useEffect, useRef, useState } from 'react';
import { Redirect } from 'wouter';
import { billing, ok } from '../api/client.js';
import { setSession } from '../api/session.js';
import { Fault, Loading } from '../ui/states.js';
import { SignInPage } from './doors.js';

/** The end of a link that lets in once. Its token goes from the address at once, and to billing in a body. */
export function Enter() {
  const [error, setError] = useState<unknown>();
  const [isIn, setIn] = useState(false);
  const token = useRef<string | undefined>(undefined);
  const enter = async (link: string): Promise<void> => {
    try {
      setSession(await ok(billing.POST('/session', { body: { link } })));
      setIn(true);
    } catch (fault) {
      setError(fault);
    }
  };
  useEffect(() => {
    // Development mode runs an effect twice, and the link works once.
    if (token.current !== undefined) return;
    token.current = window.location.hash.slice(1);
    window.history.replaceState(null, '', window.location.pathname);
    void enter(token.current);
  }, []);
  if (isIn) return <Redirect to="/" replace />;
  if (error === undefined) return <Loading what="Signing you in" />;
  return (
    <SignInPage>
      <Fault error={error} />
    </SignInPage>
  );
}
