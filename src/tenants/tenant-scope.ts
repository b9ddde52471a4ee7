// Owns which tenant the running code works for, across every await.
// Does not open anything.
import { AsyncLocalStorage } from "node:async_hooks";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";

/** A scope that may reach every tenant. */
const ALL = Symbol("across tenants");

/**
 * The scope of a request or a job: one tenant. Asking for another one inside it is the mistake that shows
 * one customer another's data, and is refused.
 */
export class TenantScope {
  readonly #storage = new AsyncLocalStorage<TenantId | typeof ALL>();

  /** Runs `fn` for one tenant. @throws {TenantryError} `WRONG_TENANT` inside another tenant's scope */
  run<T>(tenant: TenantId, fn: () => T): T {
    this.check(tenant);
    return this.#storage.run(tenant, fn);
  }

  /** Runs `fn` with every tenant in reach, also inside a tenant's scope. */
  across<T>(fn: () => T): T {
    return this.#storage.run(ALL, fn);
  }

  /** The tenant of the running code. @throws {TenantryError} `NO_TENANT_SCOPE` */
  current(): TenantId {
    const current = this.#storage.getStore();
    if (current !== undefined && current !== ALL) return current;
    throw new TenantryError("NO_TENANT_SCOPE", "This code runs for no tenant.", {
      hint: 'Call it inside tenantry.run("acme", …) or behind tenantry.middleware().',
    });
  }

  /** @throws {TenantryError} `WRONG_TENANT` where the running code works for another tenant than `tenant` */
  check(tenant: TenantId): void {
    const refused = this.refusal(tenant);
    if (refused) throw refused;
  }

  /** The error that {@link check} throws, if it does. */
  refusal(tenant: TenantId): TenantryError | undefined {
    const current = this.#storage.getStore();
    if (current === undefined || current === ALL || current === tenant) return undefined;
    return new TenantryError(
      "WRONG_TENANT",
      `Code that runs for tenant "${current}" asked for tenant "${tenant}".`,
      {
        tenant: current,
        hint: "Wrap what is meant to reach several tenants in tenantry.acrossTenants(…).",
      },
    );
  }
}
