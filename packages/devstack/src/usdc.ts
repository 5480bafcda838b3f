import { randomBytes } from 'node:crypto';
import { type Address, encodeFunctionData, type Hex, keccak256, numberToHex, pad, parseAbi, toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { readArtifact } from './artifact.js';
import { callRpc } from './chain/json-rpc.js';
import { waitForReceipt } from './chain/receipt.js';

/** Where USDC lives on Base Sepolia (chain id 84532), and so where the local chain has its own. */
export const usdcAddress: Address = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';

/** Where EURC lives on Base Sepolia: the local chain has its own there too. */
export const eurcAddress: Address = '0x808456652fdb597867f38412077A9182bf77359F';

/** The interface of contracts/TestUSDC.sol, for viem. */
export const usdcAbi = parseAbi([
  'function balanceOf(address) view returns (uint256)',
  'function authorizationState(address, bytes32) view returns (bool)',
  'function transfer(address to, uint256 value) returns (bool)',
  'function mint(address to, uint256 amount) returns (bool)',
  'function pause()',
  'function unpause()',
  'function blacklist(address account)',
  'function unBlacklist(address account)',
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)',
  'function receiveWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
  'function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature)',
  'event Transfer(address indexed from, address indexed to, uint256 value)',
  'event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)',
  'event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce)',
]);

/** Where the code behind the proxy is. ASCII "keyfare usdc", from the left. */
const implementationAddress: Address = '0x6b65796661726520757364630000000000000000';
/** The same for EURC, whose code differs in its name and currency alone. ASCII "keyfare eurc". */
const eurcImplementationAddress: Address = '0x6b65796661726520657572630000000000000000';
/** Where USDC's proxy keeps the address of its code: keccak256("org.zeppelinos.proxy.implementation"). */
const implementationSlot: Hex = '0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3';
/** And that of its admin, whose calls it does not pass on: keccak256("org.zeppelinos.proxy.admin"). */
const adminSlot: Hex = '0x10d6a54a4754c8869d6886b5f5d7fbfa5b4522237ea5c60d11bc4e7a1ff9390b';

/**
 * Puts the test USDC at USDC's address of a local chain, behind a proxy as the real one, so that it costs what that
 * costs; what it holds already, balances included, stays.
 */
export async function installUsdc(rpcUrl: string, asset: Address = usdcAddress): Promise<void> {
  await install(rpcUrl, { asset, implementation: implementationAddress, code: tokenCode().usdc });
}

/** As `installUsdc`, for the test EURC: the same code under the name that EURC has in its EIP-712 domain. */
export async function installEurc(rpcUrl: string, asset: Address = eurcAddress): Promise<void> {
  await install(rpcUrl, { asset, implementation: eurcImplementationAddress, code: tokenCode().eurc });
}

/** Whether the chain carries the very code that `installUsdc` and `installEurc` install. */
export async function hasTokens(rpcUrl: string): Promise<boolean> {
  const addresses = [usdcAddress, implementationAddress, eurcAddress, eurcImplementationAddress];
  const found = await Promise.all(addresses.map((address) => callRpc(rpcUrl, 'eth_getCode', [address, 'latest'])));
  const { proxy, usdc, eurc } = tokenCode();
  return [proxy, usdc, proxy, eurc].every((code, index) => code === found[index]);
}

async function install(
  rpcUrl: string,
  { asset, implementation, code }: { readonly asset: Address; readonly implementation: Address; readonly code: Hex },
): Promise<void> {
  await callRpc(rpcUrl, 'anvil_setCode', [implementation, code]);
  await callRpc(rpcUrl, 'anvil_setStorageAt', [asset, implementationSlot, pad(implementation)]);
  // Nobody's account: an empty slot would make the sender of an eth_call without one the admin.
  await callRpc(rpcUrl, 'anvil_setStorageAt', [asset, adminSlot, pad(implementation)]);
  await callRpc(rpcUrl, 'anvil_setCode', [asset, tokenCode().proxy]);
}

interface TokenCode {
  readonly proxy: Hex;
  readonly usdc: Hex;
  readonly eurc: Hex;
}

function tokenCode(): TokenCode {
  if (installed === undefined) {
    const usdc = readArtifact('TestUSDC').runtimeBytecode;
    installed = { proxy: readArtifact('TestUSDCProxy').runtimeBytecode, usdc, eurc: renamed(usdc) };
  }
  return installed;
}

/** The code with the other name, its hash, and the other currency. The compiler has put each of them in as it is. */
function renamed(code: Hex): Hex {
  return code
    .replaceAll(hashOf('USDC'), hashOf('EURC'))
    .replaceAll(digits('USDC'), digits('EURC'))
    .replaceAll(`${digits('USD')}00`, `${digits('EUR')}00`) as Hex;
}

function digits(text: string): string {
  return toHex(text).slice(2);
}

function hashOf(text: string): string {
  return keccak256(toHex(text)).slice(2);
}

let installed: TokenCode | undefined;

/**
 * Puts an ERC-1271 wallet at `wallet`, whose owner's key signs for it; a check burns `extraGas` beside what it needs.
 */
export async function installWallet(rpcUrl: string, wallet: Address, owner: Address, extraGas = 0n): Promise<void> {
  await callRpc(rpcUrl, 'anvil_setCode', [wallet, readArtifact('TestWallet').runtimeBytecode]);
  await callRpc(rpcUrl, 'anvil_setStorageAt', [wallet, pad('0x0'), pad(owner)]);
  await callRpc(rpcUrl, 'anvil_setStorageAt', [wallet, pad('0x1'), numberToHex(extraGas, { size: 32 })]);
}

/**
 * Makes `amount` (atomic units) of test USDC for `to`, and returns when it is mined. Each mint has a sender of its own,
 * so that any number may run at once: transactions of one sender that the node numbers itself get in each other's way.
 */
export async function mintUsdc(rpcUrl: string, to: Address, amount: bigint, asset = usdcAddress): Promise<Hex> {
  const from: Hex = `0x${randomBytes(20).toString('hex')}`;
  const data = encodeFunctionData({ abi: usdcAbi, functionName: 'mint', args: [to, amount] });
  await fundEth(rpcUrl, from);
  await callRpc(rpcUrl, 'anvil_impersonateAccount', [from]);
  const hash = (await callRpc(rpcUrl, 'eth_sendTransaction', [{ from, to: asset, data }])) as Hex;
  return await waitForReceipt(rpcUrl, hash);
}

/** Sets the ETH balance of `to` (wei), for gas. */
export async function fundEth(rpcUrl: string, to: Address, wei: bigint = 10n ** 18n): Promise<void> {
  await callRpc(rpcUrl, 'anvil_setBalance', [to, `0x${wei.toString(16)}`]);
}

/** The USDC balance of `holder` in atomic units. */
export async function usdcBalance(rpcUrl: string, holder: Address, asset = usdcAddress): Promise<bigint> {
  const data = encodeFunctionData({ abi: usdcAbi, functionName: 'balanceOf', args: [holder] });
  return BigInt((await callRpc(rpcUrl, 'eth_call', [{ to: asset, data }, 'latest'])) as Hex);
}

/** Sends `value` from the key's account to `to`, and returns the transaction's hash when it is mined. */
export async function transferUsdc(
  rpcUrl: string,
  {
    privateKey,
    to,
    value,
    asset = usdcAddress,
  }: { readonly privateKey: Hex; readonly to: Address; readonly value: bigint; readonly asset?: Address },
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
    to: asset,
    data: encodeFunctionData({ abi: usdcAbi, functionName: 'transfer', args: [to, value] }),
  });
  return await waitForReceipt(rpcUrl, (await callRpc(rpcUrl, 'eth_sendRawTransaction', [raw])) as Hex);
}
