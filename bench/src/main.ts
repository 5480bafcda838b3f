import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { benchBilling } from './billing/billing.js';
import { benchConsole } from './console/console.js';
import { benchKeys } from './keys.js';
import { benchLarge } from './large.js';
import { benchMemory } from './memory.js';
import { benchPressure } from './pressure.js';
import { profileBench } from './profiles.js';
import { formatReport, rounded } from './report.js';
import { benchRestart } from './restart.js';
import { stopAll } from './started.js';
import { benchX402 } from './x402.js';

const benches = {
  keys: benchKeys,
  x402: benchX402,
  memory: benchMemory,
  large: benchLarge,
  pressure: benchPressure,
  restart: benchRestart,
  billing: benchBilling,
  console: benchConsole,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '5' },
    profile: { type: 'string' },
    minutes: { type: 'string', default: '2' },
    full: { type: 'boolean', default: false },
  },
});
const name = positionals[0] ?? '';
const [seconds, minutes] = [Number(values.seconds), Number(values.minutes)];
if (!Object.hasOwn(benches, name) || !(seconds >= 1 && minutes >= 1)) {
  const names = Object.keys(benches).join('|');
  process.stderr.write(`usage: npm run bench -- <${names}> [--seconds N] [--minutes N] [--full] [--json]\n`);
  process.exit(2);
}
let interrupted: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted ??= stopAll().finally(() => process.exit(128 + constants.signals[signal]));
  });
}

try {
  const report =
    values.profile === undefined
      ? await benches[name as keyof typeof benches]({ seconds, minutes, full: values.full })
      : await profileBench(name, { folder: values.profile, seconds });
  process.stdout.write(`${values.json ? JSON.stringify(rounded(report)) : formatReport(report)}\n`);
} catch (error) {
  // What a load says of servers that are being stopped is no fault of theirs; nothing is left running, whatever failed.
  await (interrupted ?? stopAll());
  throw error;
}
