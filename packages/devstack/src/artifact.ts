import { readFileSync } from 'node:fs';
import type { Abi, Hex } from 'viem';

/** A contract as compiled: artifacts/<name>.json. */
export interface Artifact {
  readonly abi: Abi;
  readonly runtimeBytecode: Hex;
}

/** Reads the committed artifact of contracts/<name>.sol. */
export function readArtifact(name: 'PaymentBatch' | 'TestUSDC' | 'TestUSDCProxy' | 'TestWallet'): Artifact {
  return JSON.parse(readFileSync(new URL(`../../artifacts/${name}.json`, import.meta.url), 'utf8')) as Artifact;
}
