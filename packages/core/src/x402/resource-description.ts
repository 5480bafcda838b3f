import { utf8 } from '../encoding/index.js';

type Members = Readonly<Record<string, unknown>>;

/** What a 402 says of a route beside its price. It is the same for every call, so its texts are written once. */
export interface ResourceDescription {
  /**
   * The extensions of version 2, the fullest first: the first that fits stands in the header, and none where none fits.
   */
  readonly extensions: readonly { readonly members: Members; readonly text: string; readonly bytes: number }[];
  /** For offers of version 1: what the route takes and answers. */
  readonly outputSchema: Members;
  /** The value of a `Link` header (RFC 8288) that leads to the documents of the service. */
  readonly link: string;
}

/** Writes the description down, for `PaymentTerms`. */
export function describeResource(
  extensions: readonly Members[],
  { outputSchema, link }: Pick<ResourceDescription, 'outputSchema' | 'link'>,
): ResourceDescription {
  const written = extensions.map((members) => {
    const text = JSON.stringify(members);
    return Object.freeze({ members, text, bytes: utf8(text).length });
  });
  return Object.freeze({ extensions: Object.freeze(written), outputSchema, link });
}
