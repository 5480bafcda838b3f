import { startChain } from '@keyfare/devstack/chain';
import { ensureDatabases } from '@keyfare/devstack/databases';
import { type Home, openHome } from '@keyfare/devstack/home';
import { databaseUrl, startPostgres, stopPostgres } from '@keyfare/devstack/postgres';
import { endOrphans } from '@keyfare/devstack/processes';
import { chainBegin, type HistoryGround, type HistoryOptions, randomOf, secretsOf } from './history.js';

/** A home like that of `npm start`, with a database and a chain that run. */
export interface SeedHome extends HistoryGround {
  readonly path: string;
  /** Stops both; what they hold is on disk then, for a start with `KEYFARE_HOME`. */
  close(): Promise<void>;
}

/** Opens a home for a history. Its secrets are made from the seed where it has none yet. */
export async function openSeedHome(path: string, options: HistoryOptions): Promise<SeedHome> {
  const { receiptKeyPem, keyPepper, settlerKey, payToKey } = secretsOf(randomOf(options.seed));
  const home = openHome(path, { receiptKeyPem, keyPepper, settlerKey, payToKey });
  try {
    return await open(home, options);
  } catch (error) {
    home.release();
    throw error;
  }
}

async function open(home: Home, options: HistoryOptions): Promise<SeedHome> {
  await endOrphans(home.runDir);
  const { postgresDir: dataDir, chainStatePath: statePath } = home;
  const password = home.secrets.postgresPassword;
  // What a power cut would lose can be made again.
  const server = await startPostgres({ dataDir, port: await home.choosePort('postgres'), password, fsync: false });
  try {
    const urls = await ensureDatabases(server.adminUrl, password);
    const genesisTime = chainBegin(options, new Date());
    const chain = await startChain({ port: await home.choosePort('chain'), statePath, genesisTime });
    return {
      path: home.path,
      databaseUrl: urls.apiUrl,
      ownerUrl: urls.ownerUrl,
      superuserUrl: databaseUrl(server.adminUrl, 'keyfare'),
      rpcUrl: chain.rpcUrl,
      close: async () => {
        await chain.stop();
        await stopPostgres(server);
        home.release();
      },
    };
  } catch (error) {
    await stopPostgres(server);
    throw error;
  }
}
