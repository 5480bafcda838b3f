import { parseEntry, signEntry } from '@keyfare/core/log';
import { formatSigningInput, type ReceiptPayload, type ReceiptSigner, receiptTemplate } from '@keyfare/core/receipt';
import { Logger } from '@nestjs/common';
import { documentDigest } from './signer.js';

/** A signed receipt, in the form that callers get and in the parts that are stored. */
export interface WrittenReceipt {
  readonly kid: string;
  readonly jws: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly digest: Buffer;
}

/** One receipt in so many is compared with the checked form. */
const sampleEvery = 1_024;
/** Routes times methods; a template more is written and thrown away. */
const mostTemplates = 1_000;

interface Kept {
  readonly write: ReturnType<typeof receiptTemplate>;
  untilCheck: number;
}

/**
 * Signs receipts by a template per route and rail. The schema's check and the sorting of members take longer than the
 * signature, and find the same each time. So the first receipt of each template and one in 1,024 are compared with the
 * checked form (schema, then canonical JSON); should they ever differ, the checked form is signed and the fault
 * reported.
 */
export class ReceiptWriter {
  readonly #logger = new Logger('Receipt');
  readonly #templates = new Map<string, Kept>();
  readonly #head: string;

  constructor(
    private readonly signer: ReceiptSigner,
    private readonly onFault: () => void,
    private readonly template: typeof receiptTemplate = receiptTemplate,
  ) {
    const [head = ''] = formatSigningInput({ kid: signer.kid, typ: 'keyfare-receipt+jws' }, {}).split('.');
    this.#head = `${head}.`;
  }

  /** A payload outside the schema, met by a check, is a bug and is not signed: TypeError. */
  write(payload: ReceiptPayload): WrittenReceipt {
    const kept = this.#template(payload);
    const text = kept.write(payload);
    kept.untilCheck -= 1;
    if (kept.untilCheck >= 0) return this.#sign(text);
    kept.untilCheck = sampleEvery - 1;
    const written = this.#sign(text);
    const checked = signEntry('call', payload, this.signer);
    if (checked === written.jws) return written;
    this.onFault();
    this.#logger.error(`the receipt template of ${payload.rail} ${payload.method} ${payload.sku} is wrong`);
    kept.untilCheck = 0;
    return partsOf(this.signer.kid, checked);
  }

  #template({ rail, sku, method }: ReceiptPayload): Kept {
    const name = `${rail} ${method} ${sku}`;
    const known = this.#templates.get(name);
    if (known !== undefined) return known;
    const kept: Kept = { write: this.template({ rail, sku, method }), untilCheck: 0 };
    if (this.#templates.size < mostTemplates) this.#templates.set(name, kept);
    return kept;
  }

  #sign(text: string): WrittenReceipt {
    const { kid } = this.signer;
    const payload = Buffer.from(text, 'latin1');
    const input = this.#head + payload.toString('base64url');
    const signature = this.signer.sign(Buffer.from(input, 'latin1')) as Buffer;
    const jws = `${input}.${signature.toString('base64url')}`;
    return { kid, jws, payload, signature, digest: documentDigest(jws) };
  }
}

function partsOf(kid: string, jws: string): WrittenReceipt {
  parseEntry('call', jws);
  const [, payload = '', signature = ''] = jws.split('.');
  return {
    kid,
    jws,
    payload: Buffer.from(payload, 'base64url'),
    signature: Buffer.from(signature, 'base64url'),
    digest: documentDigest(jws),
  };
}
