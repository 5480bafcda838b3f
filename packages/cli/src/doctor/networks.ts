import { encodeHex } from '@keyfare/core/encoding';
import { domainSeparator, type Token } from '@keyfare/core/x402';
import {
  type Chain,
  estimateCost,
  hasCode,
  type NodeProbe,
  openChain,
  probeNode,
  readDomainSeparator,
} from '@keyfare/evm/chain';
import { createSettlerWallet } from '@keyfare/evm/settler';
import { isTestnet, type NetworkSettings } from '@keyfare/gate/deployment';
import { type Finding, fail, ok, skewSeconds, spanText, warn, wordsOf } from './finding.js';

/** What is asked of a node, by the settings of the programs. */
export interface NodeSettings {
  readonly rpcTimeoutMs: number;
  readonly rpcBatchCalls: number;
}

/** What a transfer uses of gas, more or less. */
const transferGas = 90_000n;
const settlementsLeft = { warn: 500n, fail: 10n, wanted: 5_000n };
const slowNodeMs = 500;
const fewCalls = 20;
const staleSeconds = { warn: 60, fail: 600 };
/** Blocks may bear a time a little ahead of the clocks. */
const aheadSeconds = 15;

/** Looks at one network: its node, the wallet that settles there, the token and the batch contract. */
export async function* checkNetwork(
  settings: NetworkSettings,
  node: NodeSettings,
  now: () => Date,
): AsyncGenerator<Finding> {
  const { network, rpcUrl } = settings;
  const name = `network.${network.name}`;
  yield await checkPayee(name, settings);
  const served = yield* checkNode({ name, setting: 'RPC_URL', rpcUrl, network }, node);
  if (!served) return;
  const chain = openChain({
    rpcUrl,
    chainId: network.chainId,
    timeoutMs: node.rpcTimeoutMs,
    maxBatchCalls: node.rpcBatchCalls,
  });
  try {
    for (const check of [
      () => checkHead(name, { chain, now, isPlay: isTestnet(network) }),
      () => checkGas(name, settings, chain),
      ...network.tokens.map((token) => () => checkToken(name, { network, token }, chain)),
      () => checkBatchContract(name, settings, chain),
    ]) {
      yield await check().catch((error: unknown) =>
        fail(`${name}.node`, wordsOf(error), 'name another node, or one with more allowance, in its RPC_URL'),
      );
    }
  } finally {
    chain.close();
  }
}

/** A node, and which chain it should serve. */
export interface NodeQuestion {
  readonly name: string;
  readonly setting: string;
  readonly rpcUrl: string;
  readonly network: NetworkSettings['network'];
}

/** Looks at a node alone. Returns whether it serves the right chain. */
export async function* checkNode(
  { name, setting, rpcUrl, network }: NodeQuestion,
  { rpcTimeoutMs: timeoutMs, rpcBatchCalls: maxBatchCalls }: NodeSettings,
): AsyncGenerator<Finding, boolean> {
  let probe: NodeProbe;
  try {
    probe = await probeNode({ rpcUrl, timeoutMs, maxBatchCalls });
  } catch (error) {
    yield fail(
      `${name}.node`,
      wordsOf(error),
      `start the node of ${network.name}, or name another one in its ${setting}`,
    );
    return false;
  }
  const { chainId, latencyMs, batchCalls } = probe;
  yield ok(`${name}.node`, 'the node answers');
  if (chainId !== network.chainId) {
    yield fail(
      `${name}.chain-id`,
      `the node serves chain ${chainId}, not ${network.chainId}`,
      `name a node of ${network.name} in its ${setting}`,
    );
    return false;
  }
  yield ok(`${name}.chain-id`, `chain ${chainId}`);
  yield latencyMs <= slowNodeMs
    ? ok(`${name}.latency`, `it answers in ${latencyMs.toFixed(1)} ms (median of five)`)
    : warn(
        `${name}.latency`,
        `it answers in ${latencyMs.toFixed(0)} ms (median of five); each paid call waits for it`,
        'use a node that is nearer',
      );
  yield batchFinding(`${name}.batch`, batchCalls, maxBatchCalls);
  return true;
}

function batchFinding(name: string, taken: number, wanted: number): Finding {
  if (taken >= wanted) return ok(name, `it takes ${taken} calls in one request`);
  const found = taken === 1 ? 'it takes no JSON-RPC batches' : `it takes ${taken} calls in one request, not ${wanted}`;
  const remedy = `set RPC_BATCH_CALLS to ${taken}, so that no request is refused first${taken < fewCalls ? '; a node that takes more is faster under load' : ''}`;
  return warn(name, found, remedy);
}

/**
 * How old the latest block is: of an old state, or by a clock that is wrong, good payments are refused and bad ones
 * taken.
 */
export async function checkHead(
  name: string,
  { chain, now, isPlay }: { readonly chain: Chain; readonly now: () => Date; readonly isPlay: boolean },
): Promise<Finding> {
  const beforeMs = now().getTime();
  const head = await chain.head();
  const ahead = skewSeconds(Number(head.timestamp) * 1_000, beforeMs, now().getTime());
  const block = `block ${String(head.number)}`;
  if (ahead > aheadSeconds) {
    return fail(
      `${name}.head`,
      `${block} is ${spanText(ahead)} ahead of this machine's clock`,
      "keep this machine's clock by NTP (chrony, systemd-timesyncd): payments are judged by it",
    );
  }
  const found = `${block} is ${spanText(ahead)} old`;
  const remedy = 'see whether the node still follows the chain, or name another one';
  if (-ahead > staleSeconds.fail && !isPlay) return fail(`${name}.head`, found, remedy);
  return -ahead > staleSeconds.warn ? warn(`${name}.head`, found, remedy) : ok(`${name}.head`, found);
}

async function checkPayee(name: string, { settlerKey, payTo, network }: NetworkSettings): Promise<Finding> {
  const { address } = await createSettlerWallet({ privateKey: settlerKey, chain: network });
  return address === payTo
    ? fail(
        `${name}.payee`,
        'payments go to the wallet whose key is on every server, for settling',
        'set PAY_TO to a wallet whose key is on no server',
      )
    : ok(`${name}.payee`, `payments go to ${payTo}, which is not the settler`);
}

async function checkGas(name: string, { settlerKey, network }: NetworkSettings, chain: Chain): Promise<Finding> {
  const { address } = await createSettlerWallet({ privateKey: settlerKey, chain: network });
  const [balance, fees] = await Promise.all([chain.etherBalance(address), chain.fees()]);
  const cost = estimateCost(transferGas, fees);
  if (cost === 0n) return ok(`${name}.gas`, `the settler ${address} has ${etherText(balance)}, and gas costs nothing`);
  const left = balance / cost;
  const found = `the settler ${address} has ${etherText(balance)}: gas for ${left} settlements at the present fee`;
  const remedy = `send it ${etherText(cost * settlementsLeft.wanted - balance)} on ${network.name}, for ${settlementsLeft.wanted} settlements`;
  if (left < settlementsLeft.fail) return fail(`${name}.gas`, found, remedy);
  return left < settlementsLeft.warn ? warn(`${name}.gas`, found, remedy) : ok(`${name}.gas`, found);
}

/** Payers sign over the token's EIP-712 domain: with another one than the contract's, every payment would revert. */
async function checkToken(
  networkName: string,
  { network, token }: { readonly network: NetworkSettings['network']; readonly token: Token },
  chain: Chain,
): Promise<Finding> {
  const { chainId } = network;
  const isUsdc = token === network.usdc;
  const name = `${networkName}.token${isUsdc ? '' : `-${token.symbol.toLowerCase()}`}`;
  const { address: verifyingContract, name: domainName, version } = token;
  if (!(await hasCode(chain.rpc, verifyingContract))) {
    const found = `there is no contract at ${token.checksumAddress}`;
    const remedy = `name a node of ${network.name} in its RPC_URL`;
    return isUsdc ? fail(name, found, remedy) : warn(name, found, `${remedy}, or offer no ${token.symbol} on it`);
  }
  const wanted = encodeHex(domainSeparator({ name: domainName, version, chainId, verifyingContract }));
  const found = await readDomainSeparator(chain.rpc, verifyingContract);
  const domain = `${JSON.stringify(domainName)} version ${JSON.stringify(version)}`;
  if (found === null) {
    return warn(
      name,
      'the contract does not tell its EIP-712 domain',
      `pay for one call by hand, and see that it is settled: the domain ${domain} is taken for its`,
    );
  }
  return found === wanted
    ? ok(name, `its EIP-712 domain is ${domain}`)
    : fail(
        name,
        `the contract at ${token.checksumAddress} has another EIP-712 domain than ${domain}: every payment would revert`,
        `name a node of the real ${network.name} in its RPC_URL; if it is one, this version of Keyfare is too old for the token: upgrade`,
      );
}

async function checkBatchContract(
  name: string,
  { batchContract, network }: NetworkSettings,
  chain: Chain,
): Promise<Finding> {
  if (batchContract === null) return ok(`${name}.batch-contract`, 'none: each payment is settled by itself');
  return (await hasCode(chain.rpc, batchContract))
    ? ok(`${name}.batch-contract`, `${batchContract} has code`)
    : fail(
        `${name}.batch-contract`,
        `there is no contract at ${batchContract}`,
        `set BATCH_CONTRACT to one on ${network.name}, or to none`,
      );
}

/** Ether with six digits behind the point, or the chain's own coin. */
function etherText(wei: bigint): string {
  const micro = wei / 10n ** 12n;
  const rest = (micro % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '');
  return `${micro / 1_000_000n}${rest === '' ? '' : `.${rest}`} of the chain's coin`;
}
