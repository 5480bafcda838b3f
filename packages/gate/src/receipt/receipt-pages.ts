import { Problem } from '@keyfare/core/problem';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ReceiptService } from './receipt.service.js';

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * What anyone needs to check a receipt: the keys, and the receipt again. They are routes of Fastify and not of Nest, and
 * leave as text: a host's global interceptors, prefix and versions would change formats and addresses that RFCs fix.
 */
@Injectable()
export class ReceiptPages implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly receipts: ReceiptService,
  ) {}

  /** Every `onRoute` hook of the gate is there by now. */
  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.get('/.well-known/jwks.json', async (_request, reply) => sendKeys(reply, await this.receipts.jwks()));
    fastify.get('/.well-known/did.json', async (_request, reply) => sendKeys(reply, await this.#did()));
    fastify.get<{ Params: { id: string } }>('/receipts/:id', async ({ params }, reply) => {
      const jws = await this.#receipt(params.id);
      return reply.type('application/jose').send(jws);
    });
  }

  /** W3C did:web; the keys under the ids that receipts name. */
  async #did(): Promise<object> {
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
  async #receipt(id: string): Promise<string> {
    if (!uuid.test(id)) throw new Problem('receipt/not-found');
    return this.receipts.find(id);
  }
}

/** RFC 7517 §5, retired keys included; or the same keys in a DID document. */
function sendKeys(reply: FastifyReply, document: object): FastifyReply {
  void reply.header('cache-control', 'public, max-age=60').type('application/json; charset=utf-8');
  return reply.send(JSON.stringify(document));
}
