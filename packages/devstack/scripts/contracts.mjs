/**
 * Compiles contracts/*.sol into artifacts/*.json, byte for byte the same on every machine: the compiler is an exact
 * dependency, every setting is written here, and no metadata hash is appended to the code.
 *
 *   node scripts/contracts.mjs                 writes the artifacts
 *   node scripts/contracts.mjs --check [dir]   compares them (or those in dir), writes nothing, fails on a difference
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const contracts = fileURLToPath(new URL('../contracts/', import.meta.url));
const artifacts = fileURLToPath(new URL('../artifacts/', import.meta.url));

const settings = {
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 10_000 },
  metadata: { appendCBOR: false, bytecodeHash: 'none' },
};

function compile() {
  const files = readdirSync(contracts).filter((file) => file.endsWith('.sol'));
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(files.map((file) => [file, { content: readFileSync(join(contracts, file), 'utf8') }])),
    settings: { ...settings, outputSelection: { '*': { '*': ['abi', 'evm.deployedBytecode.object'] } } },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  if (output.errors) throw new Error(output.errors.map((error) => error.formattedMessage).join('\n'));
  return files.map((file) => {
    const name = file.slice(0, -'.sol'.length);
    const { abi, evm } = output.contracts[file][name];
    const runtimeBytecode = `0x${evm.deployedBytecode.object}`;
    const artifact = { contract: name, compiler: { version: solc.version(), settings }, runtimeBytecode, abi };
    return { name, text: `${JSON.stringify(artifact, null, 2)}\n` };
  });
}

const [mode, directory = artifacts] = process.argv.slice(2);
let differences = 0;
for (const { name, text } of compile()) {
  const path = join(directory, `${name}.json`);
  if (mode === '--check') {
    if (readFileSync(path, 'utf8') === text) continue;
    differences += 1;
    console.error(`${name}.json is not what contracts/${name}.sol compiles to`);
  } else {
    writeFileSync(path, text);
  }
}
process.exitCode = differences === 0 ? 0 : 1;
