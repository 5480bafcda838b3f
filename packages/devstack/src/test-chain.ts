import { rmSync } from 'node:fs';
import { type ChainOptions, type LocalChain, startChain } from './chain/index.js';
import type { ProcessIdentity } from './identity.js';
import { choosePort, PortTaken } from './ports.js';
import { endOrphans, recordProcess } from './processes.js';
import { openTestHome } from './test-home.js';

/**
 * A chain of its own for a test file, at a free port, with the test USDC at `usdcAddress`; end it with `kill`. Chains
 * of test runs that died without ending theirs are ended.
 */
export async function startTestChain(options: Omit<ChainOptions, 'port'> = {}): Promise<LocalChain> {
  const { runDir } = openTestHome();
  await endOrphans(runDir);
  let record = '';
  const onSpawn = (node: ProcessIdentity) => {
    record = recordProcess(runDir, 'chain', node);
  };
  const chain = await start({ ...options, onSpawn });
  const forget = () => rmSync(record, { force: true });
  return {
    ...chain,
    stop: async () => await chain.stop().then(forget),
    kill: async () => await chain.kill().then(forget),
  };
}

async function start(options: Omit<ChainOptions, 'port'>): Promise<LocalChain> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startChain({ ...options, port: await choosePort() });
    } catch (error) {
      if (!(error instanceof PortTaken) || attempt === 5) throw error; // somebody was faster: another port, then
    }
  }
}
