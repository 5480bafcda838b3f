const prefixes = new Set<string>();

/** Notes where operators' routes are: up to the first parameter. */
export function noteOperatorPath(path: string): void {
  const [fixed = ''] = path.split('/:', 1);
  prefixes.add(fixed.startsWith('/') ? fixed : `/${fixed}`);
}

/** Whether a route, or the path of a target, is an operators' one. */
export function isOperatorPath(path: string): boolean {
  const [bare = ''] = path.split('?', 1);
  const plain = decoded(bare);
  return [...prefixes].some((prefix) => plain === prefix || plain.startsWith(`${prefix}/`));
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
