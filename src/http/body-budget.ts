// Owns how many bytes of requests' bodies are in memory at once, of all tenants and of one.
// Reads none of them.
import { TenantryError } from "../tenantry-error.ts";

/** Bytes of the bodies that a server has in memory while they wait for an executor, or are on their way to it. */
export const MAX_BODY_BYTES_IN_ALL = 256 * 1024 * 1024;
/** The part of them that may be of one tenant. */
const SHARE = 1 / 4;

/** Counts bodies. One that is larger than a tenant's part is taken where it is the tenant's only one. */
export class BodyBudget {
  readonly #max: number;
  readonly #ofTenant = new Map<string, number>();
  #bytes = 0;

  constructor(max = MAX_BODY_BYTES_IN_ALL) {
    this.#max = max;
  }

  /** Bytes that are counted now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts the bytes of one body as they come. End it. */
  begin(tenant: string): CountedBody {
    let bytes = 0;
    return {
      take: (more) => {
        const others = (this.#ofTenant.get(tenant) ?? 0) - bytes;
        if (this.#bytes + more > this.#max) throw full(tenant, "The server");
        if (others > 0 && others + bytes + more > this.#max * SHARE) throw full(tenant, "This tenant");
        bytes += more;
        this.#add(tenant, more);
      },
      end: () => {
        if (bytes > 0) this.#add(tenant, -bytes);
        bytes = 0;
      },
    };
  }

  #add(tenant: string, bytes: number): void {
    this.#bytes += bytes;
    const now = (this.#ofTenant.get(tenant) ?? 0) + bytes;
    if (now === 0) this.#ofTenant.delete(tenant);
    else this.#ofTenant.set(tenant, now);
  }
}

/** A body that is being read, or has been and is still needed. */
export interface CountedBody {
  /** Counts bytes of it before they are read. @throws {TenantryError} `OVERLOADED` */
  take(bytes: number): void;
  /** It is needed no more. */
  end(): void;
}

function full(tenant: string, whose: string): TenantryError {
  return new TenantryError("OVERLOADED", `${whose} has too many large requests in flight.`, {
    tenant,
    hint: "Send fewer at a time, or smaller ones.",
    retryAfterSeconds: 1,
  });
}
