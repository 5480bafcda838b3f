import { startFreshPostgres } from './fresh-postgres.js';
import { hmacCost, insertCost, settlementSignatureCost, signatureCost, verifyCosts } from './primitives.js';

/** The parts of a floor, in CPU microseconds. */
export interface Primitives {
  readonly hmac: number;
  readonly signature: number;
  readonly settlementSignature: number;
  readonly insert: number;
  readonly verify: number;
  readonly verifyViem: number;
}

/** Measured twice on a PostgreSQL of its own, before any server is started; of each part the lower figure counts. */
export async function measurePrimitives(): Promise<Primitives> {
  const { server, pid, stop } = await startFreshPostgres();
  try {
    const round = async (): Promise<Primitives> => {
      const { ours: verify, viems: verifyViem } = await verifyCosts(4_000);
      return {
        hmac: await hmacCost(1_000),
        signature: await signatureCost(1_000),
        settlementSignature: await settlementSignatureCost(1_000),
        insert: await insertCost(server.adminUrl, pid, 2_000),
        verify,
        verifyViem,
      };
    };
    const [first, second] = [await round(), await round()];
    const lower = (name: keyof Primitives): number => Math.min(first[name], second[name]);
    // The two checks are compared with each other, so both are of one round: that in which ours cost less.
    const verified = first.verify <= second.verify ? first : second;
    return {
      hmac: lower('hmac'),
      signature: lower('signature'),
      settlementSignature: lower('settlementSignature'),
      insert: lower('insert'),
      verify: verified.verify,
      verifyViem: verified.verifyViem,
    };
  } finally {
    await stop();
  }
}
