import { atRateApart } from './arrivals.js';
import { underLoad, warmUpCalls } from './load.js';
import type { ArrivalFigures } from './open-loop.js';
import type { Report } from './report.js';
import { startStack } from './stack.js';

const smallPerSecond = 200;
/** Some 32 MiB a second. */
const largePerSecond = 4;
/** 3,200 small calls: enough for a p99. */
const phaseSeconds = 16;

interface Target {
  readonly url: string;
  readonly small: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Round {
  readonly alone: ArrivalFigures;
  readonly beside: ArrivalFigures;
  readonly large: ArrivalFigures;
}

/** Small calls at a fixed rate, alone and beside answers of 8 MiB at a fixed rate: of the gate, and of bare Fastify. */
export async function benchLarge({ seconds }: { readonly seconds: number }): Promise<Report> {
  const stack = await startStack();
  try {
    const authorization = `Bearer ${stack.gate.secret}`;
    const gate = { url: stack.gate.url, small: '/priced', headers: { authorization } };
    const bare = { url: stack.bare.url, small: '/free', headers: {} };
    for (const [{ url, small, headers }, pid] of [[gate, stack.gate.pid] as const, [bare, stack.bare.pid] as const]) {
      const pids = { api: pid, postgres: stack.postgresPid };
      await underLoad({ url: url + small, headers, connections: 64, seconds, amount: warmUpCalls, pids });
    }
    const rounds: { gate: Round; bare: Round }[] = [];
    while (rounds.length < 2) rounds.push({ gate: await measure(gate), bare: await measure(bare) });
    const [gates, bares] = [rounds.map((round) => round.gate), rounds.map((round) => round.bare)];
    return {
      bench: 'large',
      figures: {
        small: best(gates, 'alone'),
        smallBesideLarge: best(gates, 'beside'),
        large: best(gates, 'large'),
        bareSmall: best(bares, 'alone'),
        bareBesideLarge: best(bares, 'beside'),
        bareLarge: best(bares, 'large'),
      },
      ratios: {
        small_p99_beside_large: best(gates, 'beside').p99Ms / best(gates, 'alone').p99Ms,
        bare_p99_beside_large: best(bares, 'beside').p99Ms / best(bares, 'alone').p99Ms,
      },
    };
  } finally {
    await stack.stop();
  }
}

async function measure({ url, small, headers }: Target): Promise<Round> {
  const calls = { url: url + small, headers, ratePerSecond: smallPerSecond, seconds: phaseSeconds };
  const alone = await atRateApart(calls);
  const [beside, large] = await Promise.all([
    atRateApart(calls),
    atRateApart({ ...calls, url: `${url}/large`, ratePerSecond: largePerSecond }),
  ]);
  return { alone, beside, large };
}

function best(rounds: readonly Round[], name: keyof Round): ArrivalFigures {
  return rounds.map((round) => round[name]).toSorted((a, b) => a.p99Ms - b.p99Ms)[0] as ArrivalFigures;
}
