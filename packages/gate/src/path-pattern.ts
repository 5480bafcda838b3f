/** What the paths look like that a route of Fastify answers. */
export function toPattern(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  });
  return new RegExp(`^${parts.join('/')}$`);
}

/** The path of a target as the router decodes it: all but what would change its parts, such as an encoded slash. */
export function pathOf(target: string): string {
  const [path = '/'] = target.split(/[?#]/, 1);
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/**
 * As `toPattern`, and never narrower than the router: a parameter may be a part of a segment, have an expression or be
 * left out at the end, and hosts may have the router pass over case and a slash at the end.
 */
export function toLenientPattern(url: string): RegExp {
  const parts = url.split(/(\/?:\w+(?:\([^/]*\))?\??|\*)/).map((part, index) => {
    if (index % 2 === 0) return part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
    if (part === '*') return '.*';
    const slash = part.startsWith('/') ? '/' : '';
    return part.endsWith('?') ? `(?:${slash}[^/]*)?` : `${slash}[^/]+`;
  });
  return new RegExp(`^${parts.join('')}/*$`, 'i');
}
