import 'reflect-metadata';
import { startGate } from './gate-under-test.js';

/** A gate in a process of its own, which a test can kill: it takes the ground's variables from its environment. */
const { url } = await startGate({ env: {} }, { env: { PUBLIC_URL: 'http://api.test' } });
process.stdout.write(`${url}\n`);
