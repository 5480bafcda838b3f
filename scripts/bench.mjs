// `npm run bench -- <name> [--seconds N] [--json]`: see README.
import { prepare, run } from './install.mjs';

prepare();
run(process.execPath, ['bench/dist/src/main.js', ...process.argv.slice(2)], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
