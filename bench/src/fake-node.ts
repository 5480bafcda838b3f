import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Hex, keccak256 } from 'viem';
import { readTransaction, type Transfer } from './raw-transaction.js';

/**
 * A node whose cost per call does not grow with its history: blocks come by the clock, every signature is taken for
 * good and every payer is rich. It speaks the part of JSON-RPC that the gate uses and knows EIP-3009 transfers only.
 */
const sender = (process.env['SETTLER_ADDRESS'] ?? '').toLowerCase();
const chainId = '0x14a34';
const topics = {
  transfer: '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef',
  used: '0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5',
};
const usdc = (process.env['USDC_ADDRESS'] ?? '').toLowerCase();
const batch = '0xca11bde05977b3631167028862be2a173976ca11';

interface Mined {
  readonly block: number;
  readonly transfers: readonly Transfer[];
  readonly to: string;
}

const mined = new Map<string, Mined>();
const used = new Set<string>();
let pending = new Map<string, Omit<Mined, 'block'>>();
let pendingCount = 0;
let minedCount = 0;
let head = 1;
let timer: NodeJS.Timeout;
/** Transactions by their kind, payments in batches, and methods that this node was asked for and lacks. */
const counts = { singles: 0, batches: 0, rows: 0 };
const lacking = new Set<string>();
/** Payers without money, by lower-case address. */
const poor = new Set<string>();

function mine(): void {
  head += 1;
  for (const [hash, transaction] of pending) {
    mined.set(hash, { ...transaction, block: head });
    for (const { from, nonce } of transaction.transfers) used.add(from + nonce);
  }
  pending = new Map();
  minedCount = pendingCount;
}

const hex = (value: number): Hex => `0x${value.toString(16)}`;
const word = (value: number | bigint): string => value.toString(16).padStart(64, '0');
const blockHash = (number: number): Hex => `0x${word(number)}`;

function blockOf(tag: unknown): object | null {
  const number = typeof tag === 'string' && tag.startsWith('0x') ? Number(tag) : head;
  if (number > head) return null;
  const timestamp = hex(Math.floor(Date.now() / 1_000));
  return {
    number: hex(number),
    hash: blockHash(number),
    parentHash: blockHash(number - 1),
    timestamp,
    baseFeePerGas: '0x3b9aca00',
  };
}

function send(raw: Hex): Hex {
  const hash = keccak256(raw);
  if (mined.has(hash) || pending.has(hash)) return hash;
  const { nonce, to, transfers } = readTransaction(raw);
  if (to.toLowerCase() === batch) {
    counts.batches += 1;
    counts.rows += transfers.length;
  } else counts.singles += 1;
  pending.set(hash, { to, transfers });
  pendingCount = Math.max(pendingCount, nonce + 1);
  return hash;
}

function receiptOf(transactionHash: string): object | null {
  const found = mined.get(transactionHash);
  if (found === undefined) return null;
  const place = {
    transactionHash,
    transactionIndex: '0x0',
    blockNumber: hex(found.block),
    blockHash: blockHash(found.block),
  };
  const logs = found.transfers.flatMap(({ asset, from, to, value, nonce }, index) => {
    const [payer, payee] = [`0x${from.slice(2).padStart(64, '0')}`, `0x${to.slice(2).padStart(64, '0')}`];
    const log = { ...place, address: asset, removed: false };
    return [
      { ...log, logIndex: hex(index * 2), topics: [topics.used, payer, nonce], data: '0x' },
      { ...log, logIndex: hex(index * 2 + 1), topics: [topics.transfer, payer, payee], data: value },
    ];
  });
  const gas = { gasUsed: hex(60_000 * found.transfers.length), effectiveGasPrice: '0x3b9aca00' };
  return { ...place, ...gas, status: '0x1', from: sender, to: found.to, logs };
}

/** Rich unless it is poor, unused unless it is, and willing. */
function callOf({ data = '0x' }: { data?: string }): Hex {
  const first = `0x${data.slice(34, 74)}`;
  if (poor.has(first)) {
    if (data.startsWith('0x70a08231')) return `0x${word(0)}`;
    if (!data.startsWith('0xe94a0102')) throw new Error('execution reverted: ERC20: transfer amount exceeds balance');
  }
  if (data.startsWith('0x70a08231')) return `0x${word(10n ** 15n)}`;
  if (data.startsWith('0xe94a0102')) return `0x${word(used.has(`0x${data.slice(34, 74)}0x${data.slice(74)}`) ? 1 : 0)}`;
  if (!data.startsWith('0x82ad56cb')) return '0x';
  const count = Number(`0x${data.slice(74, 138)}`);
  const rows = Array.from({ length: count }, () => word(1) + word(64) + word(0)).join('');
  const offsets = Array.from({ length: count }, (_, index) => word(count * 32 + index * 96)).join('');
  return `0x${word(32)}${word(count)}${offsets}${rows}`;
}

const methods: Readonly<Record<string, (params: readonly never[]) => unknown>> = {
  eth_chainId: () => chainId,
  eth_blockNumber: () => hex(head),
  eth_getBlockByNumber: ([tag]) => blockOf(tag),
  eth_maxPriorityFeePerGas: () => '0xf4240',
  eth_gasPrice: () => '0x3baa0c40',
  eth_getBalance: () => '0x56bc75e2d63100000',
  eth_getCode: ([address]: readonly string[]) =>
    [usdc, batch].includes((address ?? '').toLowerCase()) ? '0x01' : '0x',
  eth_getTransactionCount: ([, tag]) => hex(tag === 'pending' ? pendingCount : minedCount),
  eth_call: ([call]: readonly object[]) => callOf(call ?? {}),
  eth_getLogs: () => [],
  eth_estimateGas: () => '0x186a0',
  eth_sendRawTransaction: ([raw]: readonly Hex[]) => send(raw ?? '0x'),
  eth_getTransactionReceipt: ([hash]: readonly string[]) => receiptOf(hash ?? ''),
  bench_setPoor: (addresses: readonly string[]) => {
    for (const address of addresses) poor.add(address.toLowerCase());
    return poor.size;
  },
  bench_counts: () => ({ ...counts, head, lacking: [...lacking] }),
  bench_setBlockTime: ([milliseconds]: readonly number[]) => {
    clearInterval(timer);
    timer = setInterval(mine, milliseconds);
    return true;
  },
};

interface Request {
  readonly id: unknown;
  readonly method: string;
  readonly params?: readonly never[];
}

function answerOf({ id, method, params = [] }: Request): object {
  const run = methods[method];
  if (run === undefined) lacking.add(method);
  if (run === undefined) return { jsonrpc: '2.0', id, error: { code: -32_601, message: `no method ${method}` } };
  try {
    return { jsonrpc: '2.0', id, result: run(params) };
  } catch (error) {
    return { jsonrpc: '2.0', id, error: { code: -32_000, message: String(error) } };
  }
}

timer = setInterval(mine, 2_000);
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as Request | readonly Request[];
    const answer = 'method' in asked ? answerOf(asked) : asked.map(answerOf);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, secret: '' });
});
