import { parseEther } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { startChain } from '../chain/index.js';
import { fundEth } from '../usdc.js';

// The local chain as the only program of a container: listens to the other containers, and funds the settler's gas.
const {
  CHAIN_HOST: host = '127.0.0.1',
  CHAIN_PORT = '8545',
  CHAIN_STATE: statePath,
  SETTLER_PRIVATE_KEY,
} = process.env;
if (SETTLER_PRIVATE_KEY === undefined) throw new Error('SETTLER_PRIVATE_KEY is missing');
const chain = await startChain({ port: Number(CHAIN_PORT), host, ...(statePath === undefined ? {} : { statePath }) });
await fundEth(chain.rpcUrl, privateKeyToAccount(SETTLER_PRIVATE_KEY as `0x${string}`).address, parseEther('100'));
// A pending timer keeps the program up; the first signal ends the chain, which writes its state first.
const awake = setInterval(() => undefined, 60_000);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(awake);
    void chain.stop();
  });
}
// Only now: whoever reads this may stop the program at once.
process.stdout.write(`chain ${String(chain.chainId)} listens on ${host}:${String(chain.port)}\n`);
