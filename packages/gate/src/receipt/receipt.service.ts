import { type EntryKind, type EntryPayloads, signEntry } from '@keyfare/core/log';
import { Problem } from '@keyfare/core/problem';
import { type Ed25519Jwk, type ReceiptPayload, type ReceiptSigner, thumbprint } from '@keyfare/core/receipt';
import { asProblem, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { GateMetrics } from '../metrics.js';
import { ReceiptWriter } from './receipt-writer.js';
import { createSigner, documentDigest, publicJwk } from './signer.js';

/** A signed document on its way into the books. */
export interface Signed {
  readonly kid: string;
  readonly jws: string;
  /** The canonical JSON that was signed. */
  readonly payload: Buffer;
  /** 64 bytes. */
  readonly signature: Buffer;
  /** SHA-256 of `jws`. */
  readonly digest: Buffer;
  readonly issuedAt: Date;
}

/** RFC 7517 §5. */
interface Jwks {
  readonly keys: readonly Ed25519Jwk[];
}

/** So long at most a process does not show a key that another has published; a new key signs only after it. */
const keysMaxAgeMs = 1_000;

/** Signs, publishes the keys, and finds what was signed. */
@Injectable()
export class ReceiptService {
  #signer: ReceiptSigner | undefined;
  #writer: ReceiptWriter | undefined;
  #keys: { readonly jwks: Jwks; readonly askedAtMs: number } | undefined;
  #reading: Promise<Jwks> | undefined;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly metrics: GateMetrics,
  ) {}

  /**
   * Makes the signing key known before its first use: where other processes serve the keys too, a new one waits until
   * none of them can answer without it. A key keeps the id it was first published under, though the public URL may
   * change: receipts name their key by that id.
   */
  async open(): Promise<void> {
    const jwk = publicJwk(this.config.signingKey);
    const kid = `${this.did}#${thumbprint(jwk)}`;
    const published: Ed25519Jwk = { ...jwk, kid, use: 'sig' };
    const [fresh] = await this.sql.query<{ peers: boolean }>({
      text: `insert into keyfare.receipt_key (kid, jwk, created_at) select $1, $2, $3
        where not exists (select 1 from keyfare.receipt_key where jwk ->> 'x' = $4) on conflict do nothing
        returning exists (select 1 from keyfare.replica where expires_at > now()) as peers`,
      values: [kid, JSON.stringify(published), this.config.clock(), jwk.x],
    });
    if (fresh?.peers === true) await new Promise((wake) => setTimeout(wake, keysMaxAgeMs));
    const { keys } = await this.jwks();
    const own = keys.find(({ x }) => x === jwk.x);
    if (own === undefined) throw new Error('the receipt key could not be published');
    this.#signer = createSigner(this.config.signingKey, own.kid);
    this.#writer = new ReceiptWriter(this.#signer, () => this.metrics.receiptFaults.inc());
  }

  /** `did:web` of the public URL (W3C did-web §3.1: the port's colon is percent-encoded, and slashes become colons). */
  get did(): string {
    const { host, pathname } = new URL(this.config.publicUrl);
    return `did:web:${host.replace(':', '%3A')}${pathname.replace(/\/$/, '').replaceAll('/', ':')}`;
  }

  /** The signer's key id. */
  get kid(): string {
    return this.#open.kid;
  }

  /** Signs an entry's document. A payload outside its schema is a bug and is not signed: TypeError. */
  sign<Kind extends EntryKind>(kind: Kind, payload: EntryPayloads[Kind], issuedAt: Date): Signed {
    const signer = this.#open;
    const jws = signEntry(kind, payload, signer);
    const [, payloadPart = '', signaturePart = ''] = jws.split('.');
    return {
      kid: signer.kid,
      jws,
      payload: Buffer.from(payloadPart, 'base64url'),
      signature: Buffer.from(signaturePart, 'base64url'),
      digest: documentDigest(jws),
      issuedAt,
    };
  }

  /** Signs the receipt of a call, by the template of its route. */
  signReceipt(payload: ReceiptPayload, issuedAt: Date): Signed {
    if (this.#writer === undefined) throw new Error('the receipt room is not open yet');
    return { ...this.#writer.write(payload), issuedAt };
  }

  /** Every key that a receipt may name, the retired ones too. */
  async jwks(): Promise<Jwks> {
    if (this.#keys !== undefined && performance.now() - this.#keys.askedAtMs < keysMaxAgeMs) return this.#keys.jwks;
    this.#reading ??= this.#readKeys().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readKeys(): Promise<Jwks> {
    const askedAtMs = performance.now();
    const rows = await this.sql
      .query<{ jwk: Ed25519Jwk }>({ text: 'select jwk from keyfare.receipt_key order by created_at, kid' })
      .catch((error: unknown) => {
        throw asProblem(error);
      });
    const jwks = { keys: rows.map(({ jwk }) => jwk) };
    this.#keys = { jwks, askedAtMs };
    return jwks;
  }

  /** A receipt's text, as it was signed. 404 `receipt/not-found`. */
  async find(id: string): Promise<string> {
    const [row] = await this.sql
      .query<{ jws: string | null }>({
        name: 'keyfare_find_receipt',
        text: `select keyfare.jws(kind, kid, payload, signature) as jws from keyfare.entry where id = $1 and kind = 'call'`,
        values: [id],
      })
      .catch((error: unknown) => {
        throw asProblem(error);
      });
    // Null once the document was erased.
    if (row === undefined || row.jws === null) throw new Problem('receipt/not-found');
    return row.jws;
  }

  get #open(): ReceiptSigner {
    if (this.#signer === undefined) throw new Error('the receipt room is not open yet');
    return this.#signer;
  }
}
