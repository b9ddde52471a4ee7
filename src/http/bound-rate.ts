// Owns how often a tenant may be asked where the platform counts: Cloudflare's rate limiting, by a binding.
// Counts nothing itself; how many are allowed is wrangler.toml's.
import { TenantryError } from "../tenantry-error.ts";
import type { TenantRate } from "./tenant-rate.ts";

/** What is used of a binding for rate limits. */
export interface RateLimitBinding {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/** As many requests of each tenant as `binding` lets through. */
export function boundRate(binding: RateLimitBinding): TenantRate {
  return async (tenant) => {
    const { success } = await binding.limit({ key: tenant });
    if (success) return;
    throw new TenantryError("TOO_MANY_REQUESTS", "The tenant has sent too many requests.", {
      tenant,
      hint: "Send fewer, or wait as long as Retry-After says.",
      retryAfterSeconds: 10,
    });
  };
}
