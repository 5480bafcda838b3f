/**
 * Of an OpenAPI document what types are made of: without extensions (`x-…`), which tell a deployment's prices, and
 * without the addresses where it was served.
 */
export function typedPart(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(typedPart);
  if (typeof document !== 'object' || document === null) return document;
  const kept = Object.entries(document).filter(([name]) => !name.startsWith('x-') && name !== 'servers');
  return Object.fromEntries(kept.map(([name, value]) => [name, typedPart(value)]));
}
