import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Address, decodeFunctionResult, domainSeparator, encodeFunctionData, type Hex, numberToHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { abi, callData, domain, payee, relayer, useToken } from '../test/token.js';
import { callRpc, startChain } from './chain/index.js';
import { choosePort } from './ports.js';
import {
  eurcAddress,
  fundEth,
  hasTokens,
  installUsdc,
  installWallet,
  mintUsdc,
  transferUsdc,
  usdcAbi,
  usdcAddress,
  usdcBalance,
} from './usdc.js';

const token = useToken();

describe('the token', () => {
  it('calls itself as USDC on Base Sepolia does, and computes its domain from the chain it runs on', async () => {
    expect(await token.read('DOMAIN_SEPARATOR')).toBe(domainSeparator({ domain }));
    expect(BigInt(await token.read('decimals'))).toBe(6n);
    const other = await startChain({ port: await choosePort(), chainId: 8453 });
    const data = encodeFunctionData({ abi, functionName: 'DOMAIN_SEPARATOR' });
    expect(await callRpc(other.rpcUrl, 'eth_call', [{ to: usdcAddress, data }, 'latest'])).toBe(
      domainSeparator({ domain: { ...domain, chainId: 8453 } }),
    );
    await other.kill();
  });

  it('has a second one beside it that calls itself as EURC on Base Sepolia does and keeps balances of its own', async () => {
    const { rpcUrl } = token.chain;
    const read = async (functionName: string): Promise<Hex> => {
      const data = encodeFunctionData({ abi, functionName });
      return (await callRpc(rpcUrl, 'eth_call', [{ to: eurcAddress, data }, 'latest'])) as Hex;
    };
    const eurc = { ...domain, name: 'EURC', verifyingContract: eurcAddress };
    expect(await read('DOMAIN_SEPARATOR')).toBe(domainSeparator({ domain: eurc }));
    const texts = await Promise.all(
      ['name', 'symbol', 'currency'].map(async (functionName) =>
        decodeFunctionResult({ abi, functionName, data: await read(functionName) }),
      ),
    );
    expect(texts).toEqual(['EURC', 'EURC', 'EUR']);
    const holder = privateKeyToAccount(generatePrivateKey()).address;
    await mintUsdc(rpcUrl, holder, 7n, eurcAddress);
    expect([await usdcBalance(rpcUrl, holder, eurcAddress), await usdcBalance(rpcUrl, holder)]).toEqual([7n, 0n]);
  });

  it('has the type hashes of EIP-3009 and EIP-2612', async () => {
    expect(await token.read('TRANSFER_WITH_AUTHORIZATION_TYPEHASH')).toBe(
      '0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267',
    );
    expect(await token.read('RECEIVE_WITH_AUTHORIZATION_TYPEHASH')).toBe(
      '0xd099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8',
    );
    expect(await token.read('CANCEL_AUTHORIZATION_TYPEHASH')).toBe(
      '0x158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a1597429',
    );
    expect(await token.read('PERMIT_TYPEHASH')).toBe(
      '0x6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9',
    );
  });

  it('is installed again without loss of balances', async () => {
    const before = await usdcBalance(token.chain.rpcUrl, token.payer.address);
    await installUsdc(token.chain.rpcUrl);
    expect(await usdcBalance(token.chain.rpcUrl, token.payer.address)).toBe(before);
    expect(await hasTokens(token.chain.rpcUrl)).toBe(true);
  });

  it('moves nothing while it is paused, nor from or to an account on the block list', async () => {
    const key = generatePrivateKey();
    const holder = privateKeyToAccount(key).address;
    await fundEth(token.chain.rpcUrl, holder);
    await mintUsdc(token.chain.rpcUrl, holder, 5n);
    const order = (functionName: 'pause' | 'unpause') => encodeFunctionData({ abi: usdcAbi, functionName });
    const list = (functionName: 'blacklist' | 'unBlacklist', account: Address) =>
      encodeFunctionData({ abi: usdcAbi, functionName, args: [account] });
    const pay = encodeFunctionData({ abi: usdcAbi, functionName: 'transfer', args: [payee, 1n] });
    await token.send(order('pause'));
    expect(await token.refusal(pay, holder)).toBe('Pausable: paused');
    await token.send(order('unpause'));
    for (const account of [holder, payee]) {
      await token.send(list('blacklist', account));
      expect(await token.refusal(pay, holder)).toBe('Blacklistable: account is blacklisted');
      await token.send(list('unBlacklist', account));
    }
    expect(await usdcBalance(token.chain.rpcUrl, holder)).toBe(5n);
    await transferUsdc(token.chain.rpcUrl, { privateKey: key, to: payee, value: 1n });
    expect(await usdcBalance(token.chain.rpcUrl, holder)).toBe(4n);
  });

  it('mints for many at once', async () => {
    const holders = Array.from({ length: 30 }, (_, index) => numberToHex(0xabc000 + index, { size: 20 }));
    await Promise.all(holders.map(async (holder) => await mintUsdc(token.chain.rpcUrl, holder, 5n)));
    const balances = await Promise.all(holders.map(async (holder) => await usdcBalance(token.chain.rpcUrl, holder)));
    expect(balances).toEqual(holders.map(() => 5n));
  });

  it('moves money by the key of its holder, and never more than the balance or the allowance', async () => {
    const key = generatePrivateKey();
    const holder = privateKeyToAccount(key).address;
    await fundEth(token.chain.rpcUrl, holder);
    await mintUsdc(token.chain.rpcUrl, holder, 10n);
    await transferUsdc(token.chain.rpcUrl, { privateKey: key, to: payee, value: 4n });
    expect(await usdcBalance(token.chain.rpcUrl, holder)).toBe(6n);
    await expect(transferUsdc(token.chain.rpcUrl, { privateKey: key, to: payee, value: 7n })).rejects.toThrow(
      'reverted',
    );
    const transfer = encodeFunctionData({ abi, functionName: 'transfer', args: [payee, 7n] });
    expect(await token.refusal(transfer, holder)).toBe('ERC20: transfer amount exceeds balance');
    const from = encodeFunctionData({ abi, functionName: 'transferFrom', args: [holder, payee, 1n] });
    expect(await token.refusal(from)).toBe('ERC20: transfer amount exceeds allowance');
  });
});

describe('a smart wallet', () => {
  const wallet: Address = '0x00000000000000000000000000000000000a11e7';

  it('pays by the signature of its owner, 65 bytes long or longer, and by nobody else’s', async () => {
    await installWallet(token.chain.rpcUrl, wallet, token.payer.address);
    await mintUsdc(token.chain.rpcUrl, wallet, 100n);
    const value = token.message({ from: wallet });
    const signature = await token.sign(value);
    const tagged: Hex = `0x00${signature.slice(2)}`;
    expect((await token.send(callData('transferWithAuthorization', value, tagged, 'bytes'))).status).toBe('0x1');
    const second = token.message({ from: wallet });
    expect(
      (await token.send(callData('transferWithAuthorization', second, await token.sign(second), 'vrs'))).status,
    ).toBe('0x1');
    const third = token.message({ from: wallet });
    const thief = privateKeyToAccount(generatePrivateKey());
    const stolen = await token.sign(third, 'TransferWithAuthorization', thief);
    expect(await token.refusal(callData('transferWithAuthorization', third, stolen, 'bytes'))).toBe(
      'FiatTokenV2: invalid signature',
    );
    expect(await usdcBalance(token.chain.rpcUrl, wallet)).toBe(80n);
  });

  it('is asked instead of its key: an account that has code cannot sign as a key does', async () => {
    await installWallet(token.chain.rpcUrl, token.payer.address, relayer);
    const value = token.message();
    expect(await token.refusal(callData('transferWithAuthorization', value, await token.sign(value), 'vrs'))).toBe(
      'FiatTokenV2: invalid signature',
    );
    await callRpc(token.chain.rpcUrl, 'anvil_setCode', [token.payer.address, '0x']);
    expect(
      (await token.send(callData('transferWithAuthorization', value, await token.sign(value), 'vrs'))).status,
    ).toBe('0x1');
  });
});

describe('usdcAbi', () => {
  it('names functions and events as the compiled contract has them', () => {
    expect(shape(abi)).toEqual(expect.arrayContaining(shape(usdcAbi)));
  });
});

function shape(entries: readonly unknown[]): string[] {
  return (entries as { type: string; name: string; inputs: { type: string; indexed?: boolean }[] }[]).map(
    ({ type, name, inputs }) =>
      `${type} ${name}(${inputs.map((input) => `${input.type}${input.indexed === true ? ' indexed' : ''}`).join()})`,
  );
}
