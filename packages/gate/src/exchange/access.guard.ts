import type { PricedTariff, TermsRecord } from '@keyfare/core/metering';
import type { AccountPrincipal, PayerPrincipal } from '@keyfare/core/principal';
import { isProblem, Problem } from '@keyfare/core/problem';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiKeyStrategy } from '../credential/api-key.strategy.js';
import { prove } from '../credential/prove.js';
import { X402Strategy } from '../credential/x402.strategy.js';
import { MeterService } from '../meter/meter.service.js';
import { admit } from '../policy/admit.js';
import { tariffOf } from '../route-tariff.js';
import { TermsService } from '../terms/terms.service.js';
import { type DryRun, type Entering, exchangeOf, type Hold } from './exchange.js';
import { FreeEntry } from './free-entry.js';
import { Holds } from './holds.js';
import { Offers } from './offers.js';
import { PaidEntry } from './paid-entry.js';
import { noteRefusal, Quoting } from './quoting.js';
import { WayOut } from './way-out.js';

/**
 * The one guard, for both rails. Its lines are the walk of a request: quote, credential, policy, hold. Nothing
 * is taken here, for the body is not yet validated. It answers synchronously where everything it asks is in memory,
 * which is the normal case of a call by key.
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
    private readonly offers: Offers,
    private readonly paid: PaidEntry,
    private readonly free: FreeEntry,
    private readonly holds: Holds,
    private readonly wayOut: WayOut,
    private readonly quoting: Quoting,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const tariff = tariffOf(context.getHandler(), context.getClass());
    if (tariff?.kind === 'free') return true;
    if (tariff === undefined) throw new Error('a route without a tariff came through the boot');
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const exchange = exchangeOf(request);
    const entering: Entering = { exchange, request, reply: http.getResponse<FastifyReply>() };
    try {
      const entered = this.#enter(entering, tariff);
      return entered instanceof Promise ? entered.catch((error: unknown) => refuse(entering, error)) : entered;
    } catch (error) {
      return refuse(entering, error);
    }
  }

  #enter(entering: Entering, tariff: PricedTariff): boolean | Promise<boolean> {
    const { exchange, request } = entering;
    this.quoting.quote(exchange, request, tariff);
    exchange.enter('credential');
    const account = prove(this.apiKey, request) as AccountPrincipal | null | Promise<AccountPrincipal | null>;
    return account instanceof Promise
      ? account.then((proven) => this.#proven(entering, proven))
      : this.#proven(entering, account);
  }

  #proven(entering: Entering, account: AccountPrincipal | null): boolean | Promise<boolean> {
    if (account === null) return this.#enterByPayment(entering);
    entering.exchange.principal = account;
    entering.exchange.enter('policy');
    const terms = this.terms.of(account.accountId);
    return terms instanceof Promise
      ? terms.then((agreed) => this.#enterByKey(entering, account, agreed))
      : this.#enterByKey(entering, account, terms);
  }

  #enterByKey(entering: Entering, account: AccountPrincipal, terms: TermsRecord): boolean | Promise<boolean> {
    const { exchange } = entering;
    const quote = exchange.quote ?? missing();
    exchange.terms = terms;
    exchange.rail = 'key';
    admit(account, terms, quote, exchange.openedAt);
    exchange.enter('hold');
    const hold = this.meter.hold(terms, quote.units, exchange.openedAt);
    if (!(hold instanceof Promise)) return this.#begin(entering, hold);
    return hold.then((held): boolean | Promise<boolean> => {
      if (typeof held !== 'string') return this.#begin(entering, held);
      // While others may still leave units unused, nobody is asked to pay for what the plan includes.
      if (held === 'contended' || terms.plan.overage !== 'x402') {
        throw this.offers.refused(held, terms, exchange.openedAt);
      }
      exchange.account = { accountId: account.accountId, keyId: account.keyId };
      exchange.quote = this.offers.overage(terms.plan, quote);
      return this.#enterByPayment(entering);
    });
  }

  async #enterByPayment(entering: Entering): Promise<boolean> {
    const { exchange, request } = entering;
    const offers = this.paid.offers(exchange);
    exchange.enter('credential');
    const payer = await this.#provePayer(request, (code, detail) => this.paid.challenge(offers, code, detail));
    exchange.enter('hold');
    const given = exchange.tariff?.free === undefined ? null : await this.free.hold(entering, payer, offers);
    if (payer !== null) exchange.principal = payer;
    if (given === 'left') return this.#endDryRun(entering, { rail: 'free', isReplay: false });
    if (given !== null) {
      exchange.rail = 'free';
      return this.#begin(entering, given);
    }
    if (payer === null) throw this.free.required(exchange, offers);
    exchange.rail = 'x402';
    if (exchange.dryRun !== undefined) {
      const found = await this.paid.rehearse(entering, payer, offers);
      return this.#endDryRun(entering, { rail: 'x402', isReplay: found === 'again' });
    }
    const hold = await this.paid.hold(entering, payer, offers);
    // The gate gives a stored answer and the handler must not run: Nest waits for a promise that nobody keeps.
    if (hold === 'answered') return new Promise<boolean>(() => undefined);
    return this.#begin(entering, hold);
  }

  /** A payment that proves nobody is answered with the offers of one that would do. */
  async #provePayer(
    request: FastifyRequest,
    challenge: (code: Problem['code'], detail: string) => Problem,
  ): Promise<PayerPrincipal | null> {
    try {
      return (await prove(this.x402, request)) as PayerPrincipal | null;
    } catch (error) {
      throw isProblem(error) && error.status === 402 ? challenge(error.code, error.detail) : error;
    }
  }

  /** The handler may run: from here the hold is the way out's to end. */
  #begin(entering: Entering, hold: Hold): boolean | Promise<boolean> {
    const { exchange, request, reply } = entering;
    if (exchange.dryRun !== undefined) {
      void this.holds.void(exchange, hold, 'caller-gone');
      return this.#endDryRun(entering, { rail: hold.rail, isReplay: false });
    }
    if (exchange.isClosed) {
      void this.holds.void(exchange, hold, 'caller-gone');
      throw new Problem('request/malformed', 'The connection closed before the call began.');
    }
    exchange.keep(hold);
    this.wayOut.begin(exchange, request, reply);
    return true;
  }

  /**
   * The call would be served. The gate answers by itself and the handler must not run: Nest waits for a promise that
   * nobody keeps.
   */
  #endDryRun({ exchange, reply }: Entering, passed: NonNullable<DryRun['passed']>): Promise<boolean> {
    if (exchange.dryRun !== undefined) exchange.dryRun.passed = passed;
    exchange.again = '';
    exchange.sealed = { status: 204, headers: reply.getHeaders() };
    void reply.status(204).send('');
    return new Promise<boolean>(() => undefined);
  }
}

function refuse(entering: Entering, error: unknown): never {
  throw noteRefusal(entering, error);
}

function missing(): never {
  throw new Error('the exchange has no quote');
}
