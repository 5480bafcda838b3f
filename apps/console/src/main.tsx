import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, StrictMode, Suspense, useEffect, useState, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { Route, Router, Switch } from 'wouter';
import { readSession } from './api/client.js';
import { ApiProblem } from './api/problem.js';
import { sessionStore } from './api/session.js';
import { Doors, SignInPage } from './shell/doors.js';
import { Enter } from './shell/enter.js';
import { PreferencesProvider } from './shell/preferences.js';
import { places } from './shell/routes.js';
import { Shell } from './shell/shell.js';
import { Boundary } from './ui/boundary.js';
import { Fault, Loading } from './ui/states.js';
import './ui/ui.css';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the API refuses it refuses again; a lost connection may come back.
      retry: (count, error) => count < 2 && (!(error instanceof ApiProblem) || error.isOffline || error.status === 503),
      staleTime: 5_000,
      // Asked all the same, so that who waits is told.
      networkMode: 'always',
      refetchOnReconnect: true,
    },
  },
});

const Me = lazy(async () => import('./pages/me/me.js'));

function Console() {
  const session = useSyncExternalStore(sessionStore.subscribe, sessionStore.read);
  const [error, setError] = useState<unknown>();
  const read = (): void => {
    setError(undefined);
    readSession().catch(setError);
  };
  useEffect(read, []);
  if (error !== undefined) return <Fault error={error} again={read} />;
  if (session === undefined) return <Loading />;
  return session === null ? <SignInPage /> : <Shell />;
}

// The first page's code comes while it is asked who has signed in; what fails here is read again by the page.
places
  .find(({ path }) => `/console${path}` === window.location.pathname)
  ?.load()
  .catch(() => undefined);

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <PreferencesProvider>
        <Router base="/console">
          <Switch>
            <Route path="/enter">
              <Enter />
            </Route>
            <Route path="/me">
              <Boundary>
                <Suspense fallback={<Loading />}>
                  <Me />
                </Suspense>
              </Boundary>
            </Route>
            <Route>
              <Console />
            </Route>
          </Switch>
        </Router>
        <Doors />
      </PreferencesProvider>
    </QueryClientProvider>
  </StrictMode>,
);
