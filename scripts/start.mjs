// `npm start [-- --json] [--no-story]`: see README.
import { prepare } from './install.mjs';

prepare();
const { run } = await import('../packages/devstack/dist/src/start/main.js');
process.exitCode = await run(process.argv.slice(2));
