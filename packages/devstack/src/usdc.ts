import { randomBytes } from 'node:crypto';
import { type Address, encodeFunctionData, type Hex, pad, parseAbi } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { readArtifact } from './artifact.js';
import { callRpc } from './chain/json-rpc.js';
import { waitForReceipt } from './chain/receipt.js';

/** Where USDC lives on Base Sepolia (chain id 84532), and so where the local chain has its own. */
export const usdcAddress: Address = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';

/** The interface of contracts/TestUSDC.sol, for viem. */
export const usdcAbi = parseAbi([
  'function balanceOf(address) view returns (uint256)',
  'function authorizationState(address, bytes32) view returns (bool)',
  'function transfer(address to, uint256 value) returns (bool)',
  'function mint(address to, uint256 amount) returns (bool)',
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)',
  'function receiveWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
  'function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature)',
  'event Transfer(address indexed from, address indexed to, uint256 value)',
  'event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)',
  'event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce)',
]);

/** Puts the test USDC at USDC's address of a local chain; what it holds already, balances included, stays. */
export async function installUsdc(rpcUrl: string, asset: Address = usdcAddress): Promise<void> {
  await callRpc(rpcUrl, 'anvil_setCode', [asset, usdcCode()]);
}

/** The code `installUsdc` installs. */
export function usdcCode(): Hex {
  code ??= readArtifact('TestUSDC').runtimeBytecode;
  return code;
}

let code: Hex | undefined;

/** Puts an ERC-1271 wallet at `wallet`, whose owner's key signs for it. */
export async function installWallet(rpcUrl: string, wallet: Address, owner: Address): Promise<void> {
  await callRpc(rpcUrl, 'anvil_setCode', [wallet, readArtifact('TestWallet').runtimeBytecode]);
  await callRpc(rpcUrl, 'anvil_setStorageAt', [wallet, pad('0x0'), pad(owner)]);
}

/**
 * Makes `amount` (atomic units) of test USDC for `to`, and returns when it is mined. Each mint has a sender of its own,
 * so that any number may run at once: transactions of one sender that the node numbers itself get in each other's way.
 */
export async function mintUsdc(rpcUrl: string, to: Address, amount: bigint): Promise<Hex> {
  const from: Hex = `0x${randomBytes(20).toString('hex')}`;
  const data = encodeFunctionData({ abi: usdcAbi, functionName: 'mint', args: [to, amount] });
  await fundEth(rpcUrl, from);
  await callRpc(rpcUrl, 'anvil_impersonateAccount', [from]);
  const hash = (await callRpc(rpcUrl, 'eth_sendTransaction', [{ from, to: usdcAddress, data }])) as Hex;
  return await waitForReceipt(rpcUrl, hash);
}

/** Sets the ETH balance of `to` (wei), for gas. */
export async function fundEth(rpcUrl: string, to: Address, wei: bigint = 10n ** 18n): Promise<void> {
  await callRpc(rpcUrl, 'anvil_setBalance', [to, `0x${wei.toString(16)}`]);
}

/** The USDC balance of `holder` in atomic units. */
export async function usdcBalance(rpcUrl: string, holder: Address): Promise<bigint> {
  const data = encodeFunctionData({ abi: usdcAbi, functionName: 'balanceOf', args: [holder] });
  return BigInt((await callRpc(rpcUrl, 'eth_call', [{ to: usdcAddress, data }, 'latest'])) as Hex);
}

/** Sends `value` from the key's account to `to`, and returns the transaction's hash when it is mined. */
export async function transferUsdc(
  rpcUrl: string,
  { privateKey, to, value }: { readonly privateKey: Hex; readonly to: Address; readonly value: bigint },
): Promise<Hex> {
  const account = privateKeyToAccount(privateKey);
  const [chainId, nonce] = (await Promise.all([
    callRpc(rpcUrl, 'eth_chainId'),
    callRpc(rpcUrl, 'eth_getTransactionCount', [account.address, 'pending']),
  ])) as [Hex, Hex];
  const raw = await account.signTransaction({
    type: 'eip1559',
    chainId: Number(chainId),
    nonce: Number(nonce),
    gas: 150_000n,
    maxFeePerGas: 10_000_000_000n,
    maxPriorityFeePerGas: 1_000_000_000n,
    to: usdcAddress,
    data: encodeFunctionData({ abi: usdcAbi, functionName: 'transfer', args: [to, value] }),
  });
  return await waitForReceipt(rpcUrl, (await callRpc(rpcUrl, 'eth_sendRawTransaction', [raw])) as Hex);
}
