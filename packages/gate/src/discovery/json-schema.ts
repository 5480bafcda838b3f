/** JSON Schema 2020-12, as far as documents look into it. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** A schema that can be written down: Standard JSON Schema 1, which zod 4.2 and others implement. */
interface WritableSchema {
  readonly '~standard': {
    readonly jsonSchema?: Readonly<Record<'input' | 'output', (options: { target: string }) => unknown>>;
  };
}

/** The JSON Schema of a Standard Schema; undefined for one that cannot be written down. */
export function writeSchema(schema: unknown, side: 'input' | 'output'): JsonSchema | undefined {
  if (!isWritable(schema)) return undefined;
  const written = schema['~standard'].jsonSchema?.[side]({ target: 'draft-2020-12' });
  return typeof written === 'object' && written !== null ? (written as JsonSchema) : undefined;
}

function isWritable(schema: unknown): schema is WritableSchema {
  return typeof schema === 'object' && schema !== null && '~standard' in schema;
}

/** The first example that a schema has. */
export function exampleOf(schema: Readonly<Record<string, unknown>>): unknown {
  const { examples, example, default: fallback } = schema;
  return Array.isArray(examples) && examples.length > 0 ? (examples as unknown[])[0] : (example ?? fallback);
}

/**
 * The schema without references, for documents that stand alone. A reference within itself, or to nothing, becomes the
 * schema that takes everything. Formats say what their patterns say, in less.
 */
export function inlineSchema(schema: unknown, definitions: Readonly<Record<string, unknown>>): JsonSchema {
  return inline(schema, { definitions, open: [] }) as JsonSchema;
}

function inline(value: unknown, seen: { definitions: Readonly<Record<string, unknown>>; open: string[] }): unknown {
  if (Array.isArray(value)) return value.map((item) => inline(item, seen));
  if (typeof value !== 'object' || value === null) return value;
  const { $ref: reference, ...rest } = value as JsonSchema;
  if (typeof reference === 'string') {
    const name = reference.split('/').at(-1) ?? '';
    const target = seen.definitions[name];
    if (target === undefined || seen.open.includes(name)) return rest;
    return inline({ ...(target as JsonSchema), ...rest }, { ...seen, open: [...seen.open, name] });
  }
  const kept = Object.entries(value).filter(
    ([keyword]) => keyword !== 'pattern' || typeof (value as JsonSchema)['format'] !== 'string',
  );
  return Object.fromEntries(kept.map(([keyword, inner]) => [keyword, inline(inner, seen)]));
}
