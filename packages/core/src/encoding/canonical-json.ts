const loneSurrogate = /\p{Surrogate}/u;
// ASCII of which JSON escapes nothing: nearly every name and value.
const plain = /^[ !#-[\]-~]*$/;
const deepest = 32;

/**
 * The canonical JSON text of `value` (RFC 8785): members sorted by UTF-16 code units, no white space, ECMAScript's own
 * string escapes. One value has one text, so signed bytes can be made again.
 *
 * Takes null, booleans, safe integers, well-formed strings, arrays and plain objects of these, at most 32 deep.
 * Anything else is a bug of the caller (an amount must be a string, an absent member left out): TypeError.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (typeof value === 'string') return writeString(value);
  if (value === null || typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'object') {
    if (depth >= deepest) throw new TypeError('The value is nested too deeply for canonical JSON.');
    return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
  }
  throw new TypeError(`Canonical JSON takes safe integers and text, not ${describe(value)}.`);
}

function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : typeof value;
}

function writeString(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  if (loneSurrogate.test(text)) throw new TypeError('The text has a lone surrogate, which UTF-8 cannot carry.');
  return JSON.stringify(text);
}

function writeArray(items: readonly unknown[], depth: number): string {
  let out = '';
  // By index: a hole must be seen as undefined and refused.
  for (let index = 0; index < items.length; index += 1) {
    out += `${index === 0 ? '' : ','}${write(items[index], depth + 1)}`;
  }
  return `[${out}]`;
}

function writeObject(value: object, depth: number): string {
  // A prototype with a parent is a class: Date, Map and the like have no canonical form of their own.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new TypeError('Canonical JSON takes plain objects only.');
  }
  let out = '';
  // The default sort compares UTF-16 code units, which is what section 3.2.3 asks for.
  for (const name of Object.keys(value).sort()) {
    const member = write((value as Readonly<Record<string, unknown>>)[name], depth + 1);
    out += `${out === '' ? '' : ','}${writeString(name)}:${member}`;
  }
  return `{${out}}`;
}
