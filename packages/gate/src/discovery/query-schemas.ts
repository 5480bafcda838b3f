import { ROUTE_ARGS_METADATA, RouteParamtypes } from '@nestjs/common/internal';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';

const queryParameter: number = RouteParamtypes.QUERY;

/**
 * The schemas of `@Query({ schema })`. `@nestjs/swagger` makes a parameter of each member of such a schema, unless the
 * schema has a name of its own: then it finds a reference and drops it without a word.
 */
export function querySchemas(discovery: DiscoveryService, scanner: MetadataScanner): ReadonlySet<unknown> {
  const all = discovery.getControllers().flatMap(({ instance, metatype }) => {
    if (typeof metatype !== 'function' || instance === undefined || instance === null) return [];
    const names = scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object);
    return names.flatMap((name) => {
      const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, metatype, name) ?? {}) as Readonly<
        Record<string, { readonly schema?: unknown }>
      >;
      const queries = Object.entries(parameters).filter(([key]) => Number(key.split(':')[0]) === queryParameter);
      return queries.map(([, { schema }]) => schema);
    });
  });
  return new Set(all.filter((schema) => schema !== undefined));
}
