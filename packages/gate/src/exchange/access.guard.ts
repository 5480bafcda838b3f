import { quoteTariff } from '@keyfare/core/metering';
import type { AccountPrincipal, PayerPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiKeyStrategy } from '../credential/api-key.strategy.js';
import { prove } from '../credential/prove.js';
import { X402Strategy } from '../credential/x402.strategy.js';
import { MeterService } from '../meter/meter.service.js';
import { requestFingerprint } from '../payment/fingerprint.js';
import { PaymentService } from '../payment/payment.service.js';
import { admit } from '../policy/admit.js';
import { tariffOf } from '../route-tariff.js';
import { RouteTable } from '../server/route-table.js';
import { TermsService } from '../terms/terms.service.js';
import { type Exchange, exchangeOf } from './exchange.js';
import { Holds } from './holds.js';
import { Offers } from './offers.js';
import { checkSellable } from './sellable.js';

/**
 * The one guard, for both rails. Its lines are the walk of a request: quote, credential, policy, hold. Nothing
 * is taken here, for the body is not yet validated. Guards and interceptors of the host's may still refuse after the
 * hold: `Holds` voids what the settlement interceptor does not take over.
 *
 * A key goes first and decides: a bad one is refused whatever else was presented, and only a good one whose plan says
 * so is let pay by wallet.
 */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly apiKey: ApiKeyStrategy,
    private readonly x402: X402Strategy,
    private readonly terms: TermsService,
    private readonly meter: MeterService,
    private readonly payments: PaymentService,
    private readonly offers: Offers,
    private readonly holds: Holds,
    private readonly routes: RouteTable,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const tariff = tariffOf(context.getHandler(), context.getClass());
    if (tariff?.kind === 'free') return true;
    if (tariff === undefined) throw new Error('a route without a tariff came through the boot');
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    checkSellable(request, () => this.routes.methodsAt(request.raw.url ?? '/'));
    const exchange = exchangeOf(request);
    exchange.tariff = tariff;
    exchange.quote = quoteTariff(tariff);
    const account = (await prove(this.apiKey, request)) as AccountPrincipal | null;
    if (account === null) await this.#holdPayment(exchange, request);
    else await this.#holdUnits(exchange, request, account);
    this.holds.check(exchange);
    this.#announceReplay(exchange, http.getResponse<FastifyReply>());
    return true;
  }

  async #holdUnits(exchange: Exchange, request: FastifyRequest, account: AccountPrincipal): Promise<void> {
    const quote = exchange.quote ?? missing();
    exchange.principal = account;
    const terms = await this.terms.of(account.accountId);
    exchange.terms = terms;
    admit(account, terms, quote);
    const hold = await this.meter.hold(terms, quote.units, exchange.openedAt);
    if (typeof hold !== 'string') {
      exchange.hold = hold;
      return;
    }
    // While others may still leave units unused, nobody is asked to pay for what the plan includes.
    if (hold === 'contended' || terms.plan.overage !== 'x402') {
      throw this.offers.refused(hold, terms, exchange.openedAt);
    }
    exchange.account = { accountId: account.accountId, keyId: account.keyId };
    exchange.quote = this.offers.overage(terms.plan, quote);
    await this.#holdPayment(exchange, request);
  }

  async #holdPayment(exchange: Exchange, request: FastifyRequest): Promise<void> {
    const quote = exchange.quote ?? missing();
    const terms = this.payments.terms(quote, this.offers.resource(request, quote));
    const payer = (await this.#provePayer(request, terms)) as PayerPrincipal | null;
    if (payer === null) throw this.payments.challenge(terms, 'payment/required');
    exchange.principal = payer;
    exchange.hold = await this.payments.hold(payer, {
      exchangeId: exchange.id,
      terms,
      fingerprint: requestFingerprint(request.method, request.raw.url ?? '/', exchange.requestDigest),
      account: exchange.account ?? null,
    });
  }

  /** A payment that proves nobody is answered with the terms of one that would do. */
  async #provePayer(request: FastifyRequest, terms: ReturnType<PaymentService['terms']>): Promise<unknown> {
    try {
      return await prove(this.x402, request);
    } catch (error) {
      if (error instanceof Problem && error.status === 402) {
        throw this.payments.challenge(terms, error.code, error.detail);
      }
      throw error;
    }
  }

  #announceReplay(exchange: Exchange, reply: FastifyReply): void {
    if (exchange.hold?.rail === 'replay') reply.header('idempotent-replay', 'true');
  }
}

function missing(): never {
  throw new Error('the exchange has no quote');
}
