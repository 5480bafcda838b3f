import { parseArgs } from 'node:util';
import { benchKeys } from './keys.js';
import { formatReport, rounded } from './report.js';
import { benchX402 } from './x402.js';

const benches = { keys: benchKeys, x402: benchX402 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, seconds: { type: 'string', default: '6' } },
});
const name = positionals[0] ?? '';
const seconds = Number(values.seconds);
if (!(name in benches) || !Number.isFinite(seconds) || seconds < 1) {
  process.stderr.write(`usage: npm run bench -- <${Object.keys(benches).join('|')}> [--seconds N] [--json]\n`);
  process.exit(2);
}
const report = await benches[name as keyof typeof benches](seconds);
process.stdout.write(`${values.json ? JSON.stringify(rounded(report)) : formatReport(report)}\n`);
