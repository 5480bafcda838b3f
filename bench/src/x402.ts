import { fundedPayer, paymentHeaderV2, signAuthorization, usdcRequirements } from '@keyfare/testing/payers';
import { type Figures, median, underLoad } from './load.js';
import { insertCost, signatureCost, verifyCosts } from './primitives.js';
import type { Report } from './report.js';
import { type Stack, startStack } from './stack.js';

const payersCount = 16;

/** The paid call: verified, claimed, settled on the chain, receipted, durable. Payments are signed off the clock. */
export async function benchX402(seconds: number): Promise<Report> {
  const stack = await startStack();
  try {
    const pids = { api: stack.gate.pid, postgres: stack.postgresPid, chain: stack.chain.node.pid };
    const free = { url: `${stack.gate.url}/free`, pids };
    const bare = { url: `${stack.bare.url}/free`, pids: { ...pids, api: stack.bare.pid } };
    const amount = Math.round(seconds * 150);
    const paid = async (count: number): Promise<Figures> => {
      const headers = await signPayments(stack, count + 64);
      return underLoad({
        url: `${stack.gate.url}/priced`,
        nextHeaders: () => headers.pop() ?? null,
        connections: 32,
        seconds,
        amount: count,
        pids,
      });
    };
    await paid(200);
    await underLoad({ ...free, connections: 64, seconds: 2 });
    const rounds: { paid: Figures[]; free: Figures[]; bare: Figures[] } = { paid: [], free: [], bare: [] };
    for (let round = 0; round < 3; round += 1) {
      rounds.paid.push(await paid(amount));
      rounds.free.push(await underLoad({ ...free, connections: 64, seconds }));
      rounds.bare.push(await underLoad({ ...bare, connections: 64, seconds }));
    }
    const [call, nothing, alone] = [median(rounds.paid), median(rounds.free), median(rounds.bare)];
    const signature = await signatureCost(1_500);
    const insert = await insertCost(stack.postgres.adminUrl, stack.postgresPid, 2_000);
    const verify = await verifyCosts(2_000);
    const floorUs = nothing.cpuUs + signature + insert + verify.ours;
    return {
      bench: 'x402',
      figures: {
        paid: call,
        free: nothing,
        bare: alone,
        primitivesUs: { signature, insert, verify: verify.ours, verifyViem: verify.viems },
        floorUs,
      },
      ratios: {
        call_over_floor_cpu: call.cpuUs / floorUs,
        call_over_free_cpu: call.cpuUs / nothing.cpuUs,
        call_over_bare_cpu: call.cpuUs / alone.cpuUs,
        verify_vs_viem: verify.viems / verify.ours,
      },
    };
  } finally {
    await stack.stop();
  }
}

async function signPayments(stack: Stack, count: number): Promise<Record<string, string>[]> {
  const payers = await Promise.all(
    Array.from({ length: payersCount }, (_, index) => fundedPayer(stack.chain, index, BigInt(count) * 1_000n)),
  );
  const accepted = usdcRequirements(stack.payTo, 1_000n);
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const payer = payers[index % payersCount];
      if (payer === undefined) throw new Error('no payer');
      const payload = await signAuthorization({ payer, to: stack.payTo, value: 1_000n });
      return { 'payment-signature': paymentHeaderV2({ payload, accepted }) };
    }),
  );
}
