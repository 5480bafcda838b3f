import { billing, gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Page } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Age } from '../../ui/values.js';
import { ApiStatus } from './api-status.js';
import { BillingStatus } from './billing-status.js';
import { Concerns } from './concerns.js';
import { OperationsNav } from './nav.js';

const everyMs = 10_000;

/** How both programs are, asked again every ten seconds. */
export default function Operations() {
  const books = useRead(['status', 'billing'], async () => ok(billing.GET('/status')), { everyMs });
  const api = useRead(['status', 'api'], async () => ok(gate.GET('/admin/status')), { everyMs });
  return (
    <Page title="Operations">
      <OperationsNav />
      <Concerns api={api.data} books={books.data} />
      <Shown of={api} what="Asking the API">
        {(status) => (
          <>
            <h2 className="group">
              The API <Version of={status} />
            </h2>
            <ApiStatus status={status} />
          </>
        )}
      </Shown>
      <Shown of={books} what="Asking billing">
        {(status) => (
          <>
            <h2 className="group">
              Billing <Version of={status} />
            </h2>
            <BillingStatus status={status} />
          </>
        )}
      </Shown>
    </Page>
  );
}

interface VersionProps {
  readonly of: { readonly at: string; readonly process: { readonly version: string; readonly startedAt: string } };
}

const Version = ({ of: { process } }: VersionProps) => (
  <span className="muted small">
    {process.version}, up since <Age at={process.startedAt} />
  </span>
);
