import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import dockerignore from '@balena/dockerignore';
import { Copy, DockerfileParser, From, type Instruction, JSONInstruction } from 'dockerfile-ast';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

/** A stage of the Dockerfile: its instructions after `FROM`, in their order. */
export interface Stage {
  readonly name: string;
  /** The stage or the image that it begins with. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of the Dockerfile, by name. Throws when one has no name. */
export function readStages(): ReadonlyMap<string, Stage> {
  const stages = new Map<string, Stage>();
  let open: Instruction[] = [];
  for (const instruction of DockerfileParser.parse(dockerfile).getInstructions()) {
    if (instruction instanceof From) {
      const [name, base] = [instruction.getBuildStage(), instruction.getImage()];
      if (name === null || base === null) throw new Error(`no name: ${instruction.toString()}`);
      open = [];
      stages.set(name, { name, base, instructions: open });
    } else {
      open.push(instruction);
    }
  }
  return stages;
}

/** The instructions that a target comes to: those of its base stages first. */
export function instructionsOf(target: string, stages = readStages()): readonly Instruction[] {
  const stage = stages.get(target);
  return stage === undefined ? [] : [...instructionsOf(stage.base, stages), ...stage.instructions];
}

/** The words of the last instruction of this name in JSON form, as of `CMD ["node", "main.js"]`. */
export function wordsOf(target: string, keyword: string): readonly string[] {
  const last = instructionsOf(target).findLast((instruction) => instruction.getKeyword() === keyword);
  if (!(last instanceof JSONInstruction)) return [];
  return last.getJSONStrings().map((word) => JSON.parse(word.getValue()) as string);
}

/** The environment that a target sets. */
export function environmentOf(target: string): Readonly<Record<string, string>> {
  const words = instructionsOf(target)
    .filter((instruction) => instruction.getKeyword() === 'ENV')
    .flatMap((instruction) => instruction.getArguments().map((argument) => argument.getValue()));
  return Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
}

/** The files that `COPY . .` takes: those of the working tree, without what .dockerignore names. */
export function readContext(files: readonly string[] = workingTree()): readonly string[] {
  return dockerignore
    .default()
    .add(readFileSync(join(root, '.dockerignore'), 'utf8'))
    .filter([...files]);
}

function workingTree(): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  return listed.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
}

/**
 * Does what `docker build` would do for a target, in folders of this machine: the `COPY` and `RUN` steps of its stages,
 * and of those that they copy from. Needs no Docker, and pulls no base image: this machine's Node and shell take its
 * place. Answers the folder that stands for the target's working directory.
 */
export function buildTarget(target: string, folder: string): string {
  const stages = readStages();
  const built = new Map<string, string>();
  const workdir = wordsAfter(instructionsOf(target, stages), 'WORKDIR');

  const build = (name: string): string => {
    const known = built.get(name);
    if (known !== undefined) return known;
    const place = join(folder, name);
    mkdirSync(place, { recursive: true });
    built.set(name, place);
    for (const instruction of instructionsOf(name, stages)) {
      if (instruction instanceof Copy) copy(instruction, place);
      else if (instruction.getKeyword() === 'RUN') run(instruction, place);
    }
    return place;
  };

  const copy = (instruction: Copy, place: string): void => {
    const from =
      instruction
        .getFlags()
        .find((flag) => flag.getName() === 'from')
        ?.getValue() ?? null;
    const words = instruction.getArguments().map((argument) => argument.getValue());
    const destination = words.at(-1) ?? '.';
    for (const source of words.slice(0, -1)) {
      const into = join(place, destination);
      if (from === null) copyContext(source, words.length > 2 ? `${into}/` : into);
      else cpSync(join(build(from), source.replace(workdir, '')), into, { recursive: true, verbatimSymlinks: true });
    }
  };

  return build(target);
}

/** The last word of the last instruction of this name. */
function wordsAfter(instructions: readonly Instruction[], keyword: string): string {
  const last = instructions.findLast((instruction) => instruction.getKeyword() === keyword);
  return last?.getArguments().at(-1)?.getValue() ?? '';
}

/** Copies from the build context. A destination that ends with `/` is a folder (Dockerfile reference, COPY). */
function copyContext(source: string, destination: string): void {
  const files = readContext().filter((path) => source === '.' || path === source || path.startsWith(`${source}/`));
  if (files.length === 0) throw new Error(`COPY ${source}: nothing of that name in the build context`);
  for (const path of files) {
    const inside = source === '.' ? path : path.slice(dirname(source) === '.' ? 0 : dirname(source).length + 1);
    const target = source === '.' || destination.endsWith('/') ? join(destination, inside) : destination;
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, path), target);
  }
}

/** As the image's shell would, with an environment that knows nothing of the process that tests. */
function run(instruction: Instruction, cwd: string): void {
  const script = instruction.getRawArgumentsContent();
  if (script === null) throw new Error(`empty: ${instruction.toString()}`);
  execFileSync('/bin/sh', ['-ec', script], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...environmentOf('build') },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
