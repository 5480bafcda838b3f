import 'reflect-metadata';
import { GiftController } from './free-under-test.js';
import { startGate, TestController } from './gate-under-test.js';

/** A gate in a process of its own, which a test can kill: it takes the ground's variables from its environment. */
const controllers = [TestController, GiftController];
const { url } = await startGate({ env: {} }, { controllers, env: { PUBLIC_URL: 'http://api.test' } });
process.stdout.write(`${url}\n`);
