import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { encodeFunctionData, type Hex, numberToHex, parseSignature, serializeSignature, toHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { abi, callData, distant, domain, forms, type Message, payee, relayer, types, useToken } from '../test/token.js';
import { callRpc } from './chain/index.js';
import { mintUsdc, usdcBalance } from './usdc.js';

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const token = useToken();

describe('transferWithAuthorization', () => {
  it.each(forms)('moves the money once, AuthorizationUsed immediately before Transfer (%s)', async (form) => {
    const value = token.message();
    const data = callData('transferWithAuthorization', value, await token.sign(value), form);
    const before = await usdcBalance(token.chain.rpcUrl, payee);
    const receipt = await token.send(data);
    expect(receipt.status).toBe('0x1');
    expect(await usdcBalance(token.chain.rpcUrl, payee)).toBe(before + 10n);
    expect(receipt.logs.map(({ topics, logIndex }) => [topics[0], Number(logIndex)])).toEqual([
      ['0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5', 0],
      ['0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef', 1],
    ]);
    expect(receipt.logs[0]?.topics[2]).toBe(value.nonce);
    expect(BigInt(await token.read('authorizationState', [token.payer.address, value.nonce]))).toBe(1n);
    expect(await token.refusal(data)).toBe('FiatTokenV2: authorization is used or canceled');
    expect((await token.send(data)).status).toBe('0x0');
  });

  it('is valid strictly between validAfter and validBefore', async () => {
    const latest = (await callRpc(token.chain.rpcUrl, 'eth_getBlockByNumber', ['latest', false])) as { timestamp: Hex };
    const start = BigInt(latest.timestamp) + 100n;
    const value = token.message({ validAfter: start, validBefore: start + 2n });
    const data = callData('transferWithAuthorization', value, await token.sign(value), 'vrs');
    const at = async (time: bigint) => {
      await callRpc(token.chain.rpcUrl, 'evm_setNextBlockTimestamp', [toHex(time)]);
      await token.chain.mine();
      return await token.refusal(data);
    };
    expect(await at(start)).toBe('FiatTokenV2: authorization is not yet valid');
    await callRpc(token.chain.rpcUrl, 'evm_setNextBlockTimestamp', [toHex(start + 1n)]);
    expect((await token.send(data)).status).toBe('0x1');
    const late = token.message({ validAfter: 0n, validBefore: start + 2n });
    const lateData = callData('transferWithAuthorization', late, await token.sign(late), 'vrs');
    await callRpc(token.chain.rpcUrl, 'evm_setNextBlockTimestamp', [toHex(start + 2n)]);
    expect((await token.send(lateData)).status).toBe('0x0');
    expect(await token.refusal(lateData)).toBe('FiatTokenV2: authorization is expired');
  });

  it('refuses a signature with its s mirrored, or with v not 27 or 28, as USDC does', async () => {
    const value = token.message();
    const { r, s, yParity } = parseSignature(await token.sign(value));
    const mirrored = serializeSignature({ r, s: numberToHex(order - BigInt(s), { size: 32 }), yParity: 1 - yParity });
    for (const form of forms) {
      expect(await token.refusal(callData('transferWithAuthorization', value, mirrored, form))).toBe(
        "ECRecover: invalid signature 's' value",
      );
      for (const v of ['00', '01', '23']) {
        const other: Hex = `0x${r.slice(2)}${s.slice(2)}${v}`;
        expect(await token.refusal(callData('transferWithAuthorization', value, other, form))).toBe(
          "ECRecover: invalid signature 'v' value",
        );
      }
    }
  });

  it('refuses a signature over anything but the call, and one that is no signature', async () => {
    const value = token.message();
    const signature = await token.sign(value);
    const changes: Partial<Message>[] = [
      { to: relayer },
      { value: 11n },
      { validAfter: 1n },
      { validBefore: distant - 1n },
      { nonce: numberToHex(999_999, { size: 32 }) },
      { from: relayer },
    ];
    for (const change of changes) {
      const data = callData('transferWithAuthorization', { ...value, ...change }, signature, 'vrs');
      expect(await token.refusal(data)).toBe('FiatTokenV2: invalid signature');
    }
    const receive = await token.sign(value, 'ReceiveWithAuthorization');
    expect(await token.refusal(callData('transferWithAuthorization', value, receive, 'vrs'))).toBe(
      'FiatTokenV2: invalid signature',
    );
    for (const bad of ['0x', signature.slice(0, -2), `${signature}00`] as Hex[]) {
      expect(await token.refusal(callData('transferWithAuthorization', value, bad, 'bytes'))).toBe(
        'ECRecover: invalid signature length',
      );
    }
  });

  it('refuses more than the balance, and leaves the authorization unused', async () => {
    const poor = privateKeyToAccount(generatePrivateKey());
    const value = token.message({ from: poor.address });
    const data = callData(
      'transferWithAuthorization',
      value,
      await token.sign(value, 'TransferWithAuthorization', poor),
      'vrs',
    );
    expect(await token.refusal(data)).toBe('ERC20: transfer amount exceeds balance');
    await token.send(data);
    expect(BigInt(await token.read('authorizationState', [poor.address, value.nonce]))).toBe(0n);
    await mintUsdc(token.chain.rpcUrl, poor.address, 10n);
    expect((await token.send(data)).status).toBe('0x1');
  });
});

describe('receiveWithAuthorization', () => {
  it.each(forms)('is for the payee alone to send (%s)', async (form) => {
    const value = token.message({ to: relayer });
    const data = callData('receiveWithAuthorization', value, await token.sign(value, 'ReceiveWithAuthorization'), form);
    expect(await token.refusal(data, token.payer.address)).toBe('FiatTokenV2: caller must be the payee');
    expect((await token.send(data)).status).toBe('0x1');
  });
});

describe('cancelAuthorization', () => {
  it.each(forms)('ends an unused authorization for ever, with an event of its own (%s)', async (form) => {
    const value = token.message();
    const signature = await token.payer.signTypedData({
      domain,
      types,
      primaryType: 'CancelAuthorization',
      message: { authorizer: token.payer.address, nonce: value.nonce },
    });
    const { r, s, v } = parseSignature(signature);
    const args = form === 'bytes' ? [signature] : [Number(v), r, s];
    const cancel = encodeFunctionData({
      abi,
      functionName: 'cancelAuthorization',
      args: [token.payer.address, value.nonce, ...args],
    });
    const receipt = await token.send(cancel);
    expect(receipt.logs.map(({ topics }) => topics[0])).toEqual([
      '0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81',
    ]);
    expect(await token.refusal(callData('transferWithAuthorization', value, await token.sign(value), form))).toBe(
      'FiatTokenV2: authorization is used or canceled',
    );
    expect(await token.refusal(cancel)).toBe('FiatTokenV2: authorization is used or canceled');
  });
});

describe('permit', () => {
  it.each(forms)('grants an allowance once, until its deadline (%s)', async (form) => {
    const nonce = BigInt(await token.read('nonces', [token.payer.address]));
    const permit = { owner: token.payer.address, spender: relayer, value: 5n, nonce, deadline: distant };
    const encode = async (value: typeof permit) => {
      const signature = await token.payer.signTypedData({ domain, types, primaryType: 'Permit', message: value });
      const { r, s, v } = parseSignature(signature);
      const last = form === 'bytes' ? [signature] : [Number(v), r, s];
      return encodeFunctionData({
        abi,
        functionName: 'permit',
        args: [value.owner, value.spender, value.value, value.deadline, ...last],
      });
    };
    expect(await token.refusal(await encode({ ...permit, deadline: 1n }))).toBe('FiatTokenV2: permit is expired');
    const data = await encode(permit);
    expect((await token.send(data)).status).toBe('0x1');
    expect(await token.refusal(data)).toBe('EIP2612: invalid signature');
    const spend = encodeFunctionData({ abi, functionName: 'transferFrom', args: [token.payer.address, payee, 5n] });
    expect((await token.send(spend)).status).toBe('0x1');
    expect(await token.refusal(spend)).toBe('ERC20: transfer amount exceeds allowance');
  });
});
