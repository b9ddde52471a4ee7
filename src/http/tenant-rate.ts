// Owns how many requests a tenant may send a second, over time; how many run at once is in-flight.ts.
// Counts in this process only.
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { TenantryError } from "../tenantry-error.ts";

/** Passes a tenant's request, or rejects. */
export type TenantRate = (tenant: string) => Promise<void>;

/** At most `perSecond` requests of each tenant in each second; undefined for 0, any number. */
export function tenantRate(perSecond: number): TenantRate | undefined {
  if (perSecond === 0) return undefined;
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  return async (tenant) => {
    try {
      await limiter.consume(tenant);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      throw new TenantryError("TOO_MANY_REQUESTS", `A tenant may send ${perSecond} requests a second.`, {
        tenant,
        hint: "Send fewer, or wait as long as Retry-After says.",
        retryAfterSeconds: Math.max(1, Math.ceil(refused.msBeforeNext / 1000)),
      });
    }
  };
}
