import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const folder = join(root, 'deploy/kubernetes');
const require = createRequire(import.meta.url);

/** A document of deploy/kubernetes. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: PodSpec } };
}

/** What tests look at of a pod. */
export interface PodSpec {
  readonly terminationGracePeriodSeconds?: number;
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly: boolean }[];
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Volume {
  readonly name: string;
  readonly secret?: {
    readonly secretName: string;
    readonly defaultMode: number;
    readonly items: readonly { readonly key: string; readonly path: string }[];
  };
}

/** The documents that kustomization.yaml names, in their order. Throws when a file of the folder is not among them. */
export function readManifests(): readonly Manifest[] {
  const [kustomization] = parse('kustomization.yaml') as readonly { resources: string[] }[];
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml');
  const lost = files.filter((name) => !kustomization?.resources.includes(name));
  if (lost.length > 0) throw new Error(`kustomization.yaml does not name ${lost.join(', ')}`);
  return (kustomization?.resources ?? []).flatMap((name) => parse(name) as readonly Manifest[]);
}

function parse(name: string): readonly unknown[] {
  return parseAllDocuments(readFileSync(join(folder, name), 'utf8')).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS() as unknown;
  });
}

/** A document of this kind and name. Throws when there is none. */
export function findManifest(kind: string, name: string, manifests = readManifests()): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** What the only container of a workload gets as environment: its own values over those of its ConfigMaps. */
export function podEnvironment(workload: Manifest): Readonly<Record<string, string>> {
  const [container] = podOf(workload).containers;
  const maps = (container?.envFrom ?? []).map(({ configMapRef }) => findManifest('ConfigMap', configMapRef.name).data);
  const own = (container?.env ?? []).map(({ name, value }) => [name, value] as const);
  return Object.assign({}, ...maps, Object.fromEntries(own)) as Record<string, string>;
}

/** The files of secrets that a workload's container finds, by path, with their mode. */
export function secretFiles(workload: Manifest): ReadonlyMap<string, number> {
  const { containers, volumes = [] } = podOf(workload);
  return new Map(
    (containers[0]?.volumeMounts ?? []).flatMap(({ name, mountPath }) => {
      const secret = volumes.find((volume) => volume.name === name)?.secret;
      return (secret?.items ?? []).map(({ path }) => [`${mountPath}/${path}`, secret?.defaultMode ?? 0] as const);
    }),
  );
}

/** The pod of a workload. */
export function podOf({ kind, metadata, spec }: Manifest): PodSpec {
  if (spec?.template === undefined) throw new Error(`${kind} ${metadata.name} has no pods`);
  return spec.template.spec;
}

/**
 * What Kubernetes' own schema finds wrong with the documents, one line each: values and missing fields by the validators
 * of `kubernetes-models`, fields that do not exist by its types, which the compiler compares with the documents as literals.
 */
export function manifestFaults(manifests: readonly Manifest[]): readonly string[] {
  return [...manifests.flatMap(valueFaults), ...unknownFields(manifests)];
}

function modelOf({ apiVersion }: Manifest): string {
  return `kubernetes-models/${apiVersion}`;
}

function valueFaults(manifest: Manifest): readonly string[] {
  const models = require(modelOf(manifest)) as Record<string, new (data: unknown) => { validate(): void }>;
  const Model = models[manifest.kind];
  if (Model === undefined)
    return [`${manifest.kind} ${manifest.metadata.name}: ${manifest.apiVersion} has no such kind`];
  try {
    new Model(manifest).validate();
    return [];
  } catch (error) {
    return [`${manifest.kind} ${manifest.metadata.name}: ${(error as Error).message}`];
  }
}

function unknownFields(manifests: readonly Manifest[]): readonly string[] {
  const cache = join(root, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const place = mkdtempSync(join(cache, 'keyfare-manifests-'));
  try {
    const source = manifests.map(
      (manifest, index) =>
        `export const m${index}: import('${modelOf(manifest)}').I${manifest.kind} = ${JSON.stringify(manifest)};\n`,
    );
    writeFileSync(join(place, 'manifests.ts'), source.join(''));
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--module', 'nodenext', '--types', ''];
    execFileSync(join(root, 'node_modules/.bin/tsc'), [...options, 'manifests.ts'], { cwd: place, encoding: 'utf8' });
    return [];
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    return stdout === '' ? [String(error)] : stdout.trim().split('\n');
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
