import { expect, test } from '@keyfare/jest-preset/globals';
import { DEFAULT_ASSETS } from '@x402/evm';
import { EVM_NETWORK_CHAIN_ID_MAP } from '@x402/evm/v1';
import { getAddress } from 'viem';
import { encodeHex } from '../encoding/index.js';
import { domainSeparator, findNetwork, findToken, networks, tokenBySymbol } from './index.js';

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

test('EURC is taken on Base, Base Sepolia and Avalanche, with the EIP-712 domain that each contract has', () => {
  const found = networks.flatMap((network) => {
    const token = tokenBySymbol(network, 'EURC');
    return token === null ? [] : [[network.name, token.checksumAddress, token.name, token.version, token.currency]];
  });
  expect(found).toEqual([
    ['base', '0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42', 'EURC', '2', 'EUR'],
    ['base-sepolia', '0x808456652fdb597867f38412077A9182bf77359F', 'EURC', '2', 'EUR'],
    ['avalanche', '0xC891EB4cbdEFf6e073e859e987815Ed1505c2ACD', 'Euro Coin', '2', 'EUR'],
  ]);
});

test('every token of a network has an address, a symbol and a domain of its own; USDC comes first', () => {
  for (const network of networks) {
    const { tokens, chainId, usdc } = network;
    const separators = tokens.map(({ name, version, address: verifyingContract }) =>
      encodeHex(domainSeparator({ name, version, chainId, verifyingContract })),
    );
    for (const list of [separators, tokens.map(({ symbol }) => symbol), tokens.map(({ address }) => address)]) {
      expect(new Set(list).size).toBe(tokens.length);
    }
    expect(tokens[0]).toBe(usdc);
    for (const token of tokens) {
      expect(token.checksumAddress).toBe(getAddress(token.address));
      expect(findToken(network, token.address)).toBe(token);
      expect(findToken(network, token.checksumAddress)).toBe(token);
      expect(tokenBySymbol(network, token.symbol)).toBe(token);
      expect([findToken(network, token.symbol), tokenBySymbol(network, token.address)]).toEqual([null, null]);
    }
    expect([findToken(network, ''), tokenBySymbol(network, 'USD')]).toEqual([null, null]);
  }
});
