import { type Operated, operate } from './client.js';

/** A difference that billing found. */
interface Break {
  readonly id: string;
  readonly class: string;
  readonly detail: string;
  readonly amount: string | null;
}

/** A run that has ended. */
interface Reconciliation {
  readonly breaks: readonly Break[];
}

/** Asks for a reconciliation, and waits until it has ended. Throws when it failed. */
export async function reconcile(billing: Operated): Promise<Reconciliation> {
  const { id } = await operate<{ id: string }>(billing, '/reconciliations', { method: 'POST', body: {} });
  for (;;) {
    const run = await operate<Reconciliation & { state: string }>(billing, `/reconciliations/${id}`, {});
    if (run.state === 'done') return run;
    if (run.state === 'failed') throw new Error(`the reconciliation failed: ${JSON.stringify(run)}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}
