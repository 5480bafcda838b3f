import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { CodeBlock } from '../src/blocks.js';

/** As a reader's project: strict, with the decorators of Nest, and with the browser's types for what runs there. */
const settings = {
  extends: '../../../../../tsconfig.base.json',
  compilerOptions: {
    noEmit: true,
    composite: false,
    incremental: false,
    declaration: false,
    declarationMap: false,
    lib: ['es2023', 'dom'],
    noUnusedLocals: false,
    noUnusedParameters: false,
    noPropertyAccessFromIndexSignature: false,
  },
  include: ['*.ts'],
};

/**
 * Compiles the blocks together, each a module of its own. Answers what the compiler says, by paper and line of the
 * block.
 */
export function compile(blocks: readonly CodeBlock[], folder: string): readonly string[] {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  const names = new Map(blocks.map((block, index) => [`block-${index}.ts`, block]));
  for (const [name, { context, code }] of names) {
    writeFileSync(join(folder, name), `${context.before}\n${code}${context.after}`);
  }
  const program = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '-p', '.', '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const faults = stdout.split('\n').filter((line) => line !== '');
  if (status !== 0 && faults.length === 0) throw new Error(`the compiler ended with ${status}: ${stderr}`);
  return faults.map((line) =>
    line.replace(/^(?:.*\/)?(block-\d+\.ts)\((\d+),/, (_, name: string, at: string) => {
      const block = names.get(name);
      const inside = Number(at) - (block?.context.before.split('\n').length ?? 0);
      return `${block?.paper}:${(block?.line ?? 0) + inside} (`;
    }),
  );
}
