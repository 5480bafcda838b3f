// `npm run seed -- --accounts 20 --calls 2000 --months 3 --seed 1`: see docs/seed.md.
import { prepare } from './install.mjs';

prepare();
await import('../packages/seed/dist/src/cli.js');
