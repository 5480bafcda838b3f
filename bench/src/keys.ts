import { measurePrimitives } from './floor.js';
import { better, type Figures, underLoad, warmUpCalls } from './load.js';
import { type ArrivalFigures, atRate } from './open-loop.js';
import { watchPlacement } from './placement.js';
import type { Report } from './report.js';
import { demandSameAnswer } from './same-answer.js';
import { type Stack, startStack } from './stack.js';

const names = ['key', 'free', 'bare', 'handwritten'] as const;
type Name = (typeof names)[number];
const arrivals = ['key', 'free', 'handwritten'] as const;
type Arrivals = Record<(typeof arrivals)[number], ArrivalFigures>;

/** The call by key: guarded, metered, receipted, durable; beside nothing, bare Fastify and a server written by hand. */
export async function benchKeys({ seconds }: { readonly seconds: number }): Promise<Report> {
  const { hmac, signature, insert } = await measurePrimitives();
  const stack = await startStack();
  try {
    await demandSameAnswer([stack.gate, stack.handwritten]);
    const variants = variantsOf(stack);
    for (const name of names) {
      await underLoad({ ...variants[name], connections: 64, seconds, amount: warmUpCalls });
    }
    // The second round comes after the whole first one, so that one bad moment of the machine does not hit both.
    const rounds: { many: Record<Name, Figures>; few: Record<Name, Figures>; arrival: Arrivals }[] = [];
    while (rounds.length < 2) {
      const many = await measure(variants, 64, seconds);
      const few = await measure(variants, 8, seconds);
      const rate = (rounds[0]?.many ?? many).key.requestsPerSecond / 2;
      rounds.push({ many, few, arrival: await arrive(variants, rate, seconds) });
    }
    // Apart from what is measured, for the questions use the database.
    const placement = await watchPlacement(stack.postgres.adminUrl, () =>
      underLoad({ ...variants.key, connections: 64, seconds }),
    );
    const pick = (load: 'many' | 'few', name: Name): Figures => better(rounds.map((round) => round[load][name]));
    const p99 = (name: (typeof arrivals)[number]): ArrivalFigures =>
      rounds.map(({ arrival }) => arrival[name]).toSorted((a, b) => a.p99Ms - b.p99Ms)[0] as ArrivalFigures;
    const [key, free, bare, handwritten] = names.map((name) => pick('many', name)) as [
      Figures,
      Figures,
      Figures,
      Figures,
    ];
    const floorUs = bare.cpuUs + hmac + signature + insert;
    const added = p99('key').p99Ms - p99('free').p99Ms;
    return {
      bench: 'keys',
      figures: {
        key,
        free,
        bare,
        handwritten,
        ...Object.fromEntries(names.map((name) => [`${name}8`, pick('few', name)])),
        ...Object.fromEntries(arrivals.map((name) => [`${name}AtHalf`, p99(name)])),
        placement,
        primitivesUs: { hmac, signature, insert },
        floorUs,
        p99_added_ms: added,
        p99_added_over_handwritten_ms: p99('key').p99Ms - p99('handwritten').p99Ms,
      },
      ratios: {
        free_over_bare_cpu: free.cpuUs / bare.cpuUs,
        call_over_handwritten_cpu: key.cpuUs / handwritten.cpuUs,
        call_over_floor_cpu: key.cpuUs / floorUs,
        p99_added_ms: added,
      },
    };
  } finally {
    await stack.stop();
  }
}

interface Variant {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly pids: { readonly api: number; readonly postgres?: number };
}

function bearer(secret: string): { readonly authorization: string } {
  return { authorization: `Bearer ${secret}` };
}

function variantsOf({ gate, bare, handwritten, postgresPid: postgres }: Stack): Record<Name, Variant> {
  return {
    key: { url: `${gate.url}/priced`, headers: bearer(gate.secret), pids: { api: gate.pid, postgres } },
    free: { url: `${gate.url}/free`, pids: { api: gate.pid, postgres } },
    bare: { url: `${bare.url}/free`, pids: { api: bare.pid } },
    handwritten: {
      url: `${handwritten.url}/priced`,
      headers: bearer(handwritten.secret),
      pids: { api: handwritten.pid, postgres },
    },
  };
}

async function measure(
  variants: Record<Name, Variant>,
  connections: number,
  seconds: number,
): Promise<Record<Name, Figures>> {
  const found: [Name, Figures][] = [];
  for (const name of names) found.push([name, await underLoad({ ...variants[name], connections, seconds })]);
  return Object.fromEntries(found) as Record<Name, Figures>;
}

async function arrive(variants: Record<Name, Variant>, ratePerSecond: number, seconds: number): Promise<Arrivals> {
  const found: [string, ArrivalFigures][] = [];
  for (const name of arrivals) found.push([name, await atRate({ ...variants[name], ratePerSecond, seconds })]);
  return Object.fromEntries(found) as Arrivals;
}
