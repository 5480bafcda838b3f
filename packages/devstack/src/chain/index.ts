export { callRpc, RpcError } from './json-rpc.js';
export { type ChainOptions, type LocalChain, startChain, stopChain } from './local-chain.js';
export type { StateSource } from './state-file.js';
