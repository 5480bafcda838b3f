import { Problem } from '@keyfare/core/problem';
import type { Ed25519Jwk } from '@keyfare/core/receipt';
import { Controller, Get, Header, Param } from '@nestjs/common';
import { Free } from '../route-tariff.js';
import { ReceiptService } from './receipt.service.js';

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What anyone needs to check a receipt: the keys, and the receipt again. */
@Free()
@Controller()
export class ReceiptController {
  constructor(private readonly receipts: ReceiptService) {}

  /** RFC 7517 §5, retired keys included. */
  @Get('.well-known/jwks.json')
  @Header('cache-control', 'public, max-age=60')
  async jwks(): Promise<{ readonly keys: readonly Ed25519Jwk[] }> {
    return this.receipts.jwks();
  }

  /** W3C did:web; the keys under the ids that receipts name. */
  @Get('.well-known/did.json')
  @Header('cache-control', 'public, max-age=60')
  async did(): Promise<object> {
    const { keys } = await this.receipts.jwks();
    return {
      '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/jwk/v1'],
      id: this.receipts.did,
      verificationMethod: keys.map(({ kid, ...jwk }) => ({
        id: kid,
        type: 'JsonWebKey',
        controller: this.receipts.did,
        publicKeyJwk: { ...jwk, kid },
      })),
      assertionMethod: [this.receipts.kid],
    };
  }

  /** The receipt as it was signed. Its id is unguessable: who has it was given it. */
  @Get('receipts/:id')
  @Header('content-type', 'application/jose')
  async receipt(@Param('id') id: string): Promise<string> {
    if (!uuid.test(id)) throw new Problem('receipt/not-found');
    return this.receipts.find(id);
  }
}
