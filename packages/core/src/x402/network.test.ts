import { expect, test } from '@jest/globals';
import { DEFAULT_ASSETS } from '@x402/evm';
import { EVM_NETWORK_CHAIN_ID_MAP } from '@x402/evm/v1';
import { getAddress } from 'viem';
import { findNetwork, networks } from './index.js';

test('each network has the chain id that the official package gives its version 1 name', () => {
  const official: Readonly<Record<string, number>> = EVM_NETWORK_CHAIN_ID_MAP;
  for (const { name, chainId, caip2 } of networks) {
    expect(official[name]).toBe(chainId);
    expect(caip2).toBe(`eip155:${chainId}`);
  }
});

test('the USDC of each network is the default asset of the official package, EIP-712 domain and decimals included', () => {
  const official: Readonly<Record<string, unknown>> = DEFAULT_ASSETS;
  for (const { caip2, usdc } of networks) {
    const [first] = [official[caip2]].flat();
    const { checksumAddress: asset, name, version, decimals } = usdc;
    expect(first).toMatchObject({ asset, name, version, decimals });
    expect(usdc.checksumAddress).toBe(getAddress(usdc.address));
    expect(usdc.address).toBe(usdc.checksumAddress.toLowerCase());
  }
});

test('Base and Base Sepolia are taken', () => {
  expect(findNetwork('base')?.chainId).toBe(8453);
  expect(findNetwork('base-sepolia')?.chainId).toBe(84_532);
});

test('a network is found by either of its identifiers and by nothing else', () => {
  for (const network of networks) {
    expect(findNetwork(network.name)).toBe(network);
    expect(findNetwork(network.caip2)).toBe(network);
  }
  for (const text of ['', 'Base', 'eip155:', 'eip155:08453', '8453', '__proto__', 'constructor']) {
    expect(findNetwork(text)).toBeNull();
  }
});

test('the table cannot be changed by those who read it', () => {
  const [first] = networks;
  expect([networks, first, first?.usdc].map(Object.isFrozen)).toEqual([true, true, true]);
});
