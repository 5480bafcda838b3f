import type { PricedTariff } from '@keyfare/core/metering';
import type { ResourceDescription } from '@keyfare/core/x402';
import { Injectable } from '@nestjs/common';

/**
 * What the 402 of each priced route says of its inputs and its answer. Empty where no `DiscoveryModule` describes them.
 */
@Injectable()
export class RouteDescriptions {
  readonly #byTariff = new Map<PricedTariff, Map<string, ResourceDescription>>();

  /** The description for calls of this method. A tariff belongs to one handler, whatever paths lead to it. */
  describe({ tariff, method }: { tariff: PricedTariff; method: string }, description: ResourceDescription): void {
    const ofMethods = this.#byTariff.get(tariff) ?? new Map<string, ResourceDescription>();
    this.#byTariff.set(tariff, ofMethods.set(method, description));
  }

  of(tariff: PricedTariff | undefined, method: string): ResourceDescription | undefined {
    return tariff === undefined ? undefined : this.#byTariff.get(tariff)?.get(method);
  }
}
