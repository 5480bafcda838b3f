import { createServer, type Server } from 'node:net';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { choosePort, isPortFree } from './ports.js';

async function listen(host: string, port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(port, host, resolve));
  return server;
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => void server.close(resolve));
}

describe('choosePort', () => {
  it('gives the preferred port when it is free, and another when it is not', async () => {
    const preferred = await choosePort();
    expect(await choosePort(preferred)).toBe(preferred);
    const server = await listen('127.0.0.1', preferred);
    expect(await choosePort(preferred)).not.toBe(preferred);
    await close(server);
    expect(await choosePort(preferred)).toBe(preferred);
  });

  it('gives no port twice, and none that an outgoing connection may take', async () => {
    const ports = await Promise.all(Array.from({ length: 100 }, async () => await choosePort()));
    expect(new Set(ports).size).toBe(100);
    expect(ports.every((port) => port >= 20_000 && port < 32_000)).toBe(true);
  });
});

describe('isPortFree', () => {
  it('sees a server that listens at every address', async () => {
    const port = await choosePort();
    const server = await listen('0.0.0.0', port);
    expect(await isPortFree(port)).toBe(false);
    await close(server);
    expect(await isPortFree(port)).toBe(true);
  });
});
