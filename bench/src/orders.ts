import { AccountService, KeyService } from '@keyfare/gate/services';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

/** What a bench asks of a gate's process, beside calls. */
export interface Order {
  /** Revokes the key of that id. */
  readonly revoke?: string;
  /** So many at a time read the list of accounts to its end, again and again; 0 ends that. */
  readonly lists?: number;
}

/** In the process of a gate: does what the parent says, and tells when it is done. */
export function takeOrders(app: NestFastifyApplication): void {
  const state = { lists: 0 };
  const list = async (): Promise<void> => {
    const accounts = app.get(AccountService);
    let after: { createdAt: string; id: string } | null = null;
    for (;;) {
      const rows = await accounts.list({ after, limit: 200 });
      const last = rows.at(-1);
      if (rows.length <= 200 || last === undefined) return;
      after = { createdAt: last.createdAt.toISOString(), id: last.id };
    }
  };
  process.on('message', (order: Order) => {
    if (order.revoke !== undefined) {
      const { revoke } = order;
      void app
        .get(KeyService)
        .revoke(revoke)
        .then(() => process.send?.({ revoked: revoke }));
    }
    if (order.lists !== undefined) {
      const wanted = order.lists;
      state.lists = wanted;
      for (let index = 0; index < wanted; index += 1) {
        void (async () => {
          // The last ones meet a database that is being left.
          while (state.lists === wanted) await list().catch(() => undefined);
        })();
      }
    }
  });
}
