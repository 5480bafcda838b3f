import { isIPv6 } from 'node:net';

export interface ThrottleSettings {
  /** So many at once, */
  readonly burst: number;
  /** and so many each second after. */
  readonly perSecond: number;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
  /** Addresses that are remembered; with more, the one that was quiet longest is forgotten. */
  readonly maxAddresses?: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

/** Counts what comes from an address: a bucket that fills again with time. Strangers cannot fill the memory. */
export class Throttle {
  readonly #settings: ThrottleSettings;
  readonly #buckets = new Map<string, Bucket>();

  constructor(settings: ThrottleSettings) {
    this.#settings = settings;
  }

  /** As `take`, and nothing is taken. */
  peek(address: string): number {
    const left = this.#left(networkOf(address), this.#settings.nowMs());
    return left >= 1 ? 0 : Math.ceil((1 - left) / this.#settings.perSecond);
  }

  /**
   * Takes one from the address's bucket. Answers 0, or, where it is empty, the whole seconds until there is one again.
   */
  take(address: string): number {
    const { perSecond, nowMs, maxAddresses = 10_000 } = this.#settings;
    const now = nowMs();
    const key = networkOf(address);
    const left = this.#left(key, now);
    // Taken out and put in again, the map is in the order of use.
    this.#buckets.delete(key);
    this.#buckets.set(key, { left: Math.max(0, left - 1), atMs: now });
    if (this.#buckets.size > maxAddresses) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return left >= 1 ? 0 : Math.ceil((1 - left) / perSecond);
  }

  #left(key: string, now: number): number {
    const { burst, perSecond } = this.#settings;
    const known = this.#buckets.get(key);
    return known === undefined ? burst : Math.min(burst, known.left + ((now - known.atMs) / 1_000) * perSecond);
  }
}

/**
 * Some proxies write the port of the connection behind an address in `X-Forwarded-For`: each connection has another.
 */
const withPort = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9a-f:.]+)\])(?::\d+)?$/i;

/** An address of IPv4, or the /64 that one customer of a provider has all of (RFC 6177 §2); without a port. */
export function networkOf(asWritten: string): string {
  const [, ipv4, ipv6] = withPort.exec(asWritten) ?? [];
  const address = ipv4 ?? ipv6 ?? asWritten;
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const end = tail === undefined || tail === '' ? [] : tail.split(':');
  const filled =
    tail === undefined
      ? groups
      : [...groups, ...Array.from({ length: 8 - groups.length - end.length }, () => '0'), ...end];
  return `${filled
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
