import { Problem } from '@keyfare/core/problem';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GateConfig } from '../config.js';
import { fastifyOf } from '../fastify-of.js';
import { ReceiptService } from './receipt.service.js';

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * What anyone needs to check a receipt: the keys, and the receipt again. They are routes of Fastify and not of Nest,
 * and leave as text: a host's global interceptors, prefix and versions would change formats and addresses that RFCs
 * fix.
 */
@Injectable()
export class ReceiptPages implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly receipts: ReceiptService,
    private readonly config: GateConfig,
  ) {}

  /** Every `onRoute` hook of the gate is there by now. */
  onModuleInit(): void {
    const fastify = fastifyOf(this.host);
    // With a path in front, a proxy may send the origin's own well-known paths here too: both ways lead to the same.
    for (const mount of new Set(['', this.config.mountPath])) this.#serve(fastify, mount);
  }

  #serve(fastify: FastifyInstance, mount: string): void {
    const keys = async (_request: FastifyRequest, reply: FastifyReply) => sendKeys(reply, await this.receipts.jwks());
    const did = async (_request: FastifyRequest, reply: FastifyReply) => sendKeys(reply, await this.#did());
    fastify.get(`${mount}/.well-known/jwks.json`, keys);
    // did:web §3.2: at the well-known path of an origin, and below a path, where there is one, at `did.json`.
    fastify.get(`${mount}${this.#hasPath ? '' : '/.well-known'}/did.json`, did);
    fastify.get<{ Params: { id: string } }>(`${mount}/receipts/:id`, async ({ params }, reply) => {
      const jws = await this.#receipt(params.id);
      return reply.type('application/jose').send(jws);
    });
  }

  get #hasPath(): boolean {
    return new URL(this.config.publicUrl).pathname !== '/';
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
