// Owns the host names that stand for tenants.
// Does not know `<tenant>.example.com`: that needs no alias and is the resolver's.
import type { SqlRunner } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { SYSTEM_ACTOR, auditIfChanged } from "./audit-log.ts";
import type { RowCache } from "./row-cache.ts";
import { notFound } from "./tenant-changes.ts";

const HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** What an {@link AliasTable} works on. */
export interface AliasTableOptions {
  readonly db: SqlRunner;
  readonly cache: RowCache<TenantId>;
  readonly clock: () => number;
}

/** Host names of tenants: lower-case, without a port, each of one tenant only. */
export class AliasTable {
  readonly #options: AliasTableOptions;

  constructor(options: AliasTableOptions) {
    this.#options = options;
  }

  async add(host: string, tenant: TenantId, actor = SYSTEM_ACTOR): Promise<void> {
    const { db, cache, clock } = this.#options;
    const name = parseHost(host);
    const now = clock();
    const added = await cache.keep(
      name,
      async () => {
        const [inserted] = await db.batch([
          {
            sql: `INSERT INTO aliases (host, tenant, created_at)
                  SELECT ?, id, ? FROM tenants WHERE id = ? AND state <> 'deleted'
                  ON CONFLICT (host) DO NOTHING RETURNING host`,
            params: [name, now, tenant],
          },
          auditIfChanged({ actor, action: "alias.add", tenant, detail: { host: name } }, now),
        ]);
        return inserted?.rows.length === 1;
      },
      (isAdded) => (isAdded ? tenant : undefined),
    );
    if (added) return;
    const owner = await this.#read(name);
    if (owner === undefined) throw notFound(tenant);
    throw new TenantryError("ALIAS_EXISTS", `The host ${name} stands for tenant "${owner}" already.`, {
      tenant: owner,
      hint: "Remove that alias first.",
    });
  }

  async remove(host: string, actor = SYSTEM_ACTOR): Promise<void> {
    const { db, cache, clock } = this.#options;
    const name = parseHost(host);
    const removed = await cache.keep(
      name,
      async () => {
        const [, deleted] = await db.batch([
          {
            sql: `INSERT INTO audit_log (at, actor, action, tenant, detail)
                  SELECT ?, ?, 'alias.remove', tenant, json_object('host', host) FROM aliases WHERE host = ?`,
            params: [clock(), actor, name],
          },
          { sql: "DELETE FROM aliases WHERE host = ? RETURNING host", params: [name] },
        ]);
        return deleted?.rows.length === 1;
      },
      () => undefined,
    );
    if (removed) return;
    throw new TenantryError("NOT_FOUND", `The host ${name} is no tenant's alias.`, {
      hint: "List a tenant's aliases to see them.",
    });
  }

  tenantOf(host: string): Promise<TenantId | undefined> {
    return this.#options.cache.get(host, this.#read);
  }

  async of(tenant: TenantId): Promise<string[]> {
    const { rows } = await this.#options.db.run({
      sql: "SELECT host FROM aliases WHERE tenant = ? ORDER BY host",
      params: [tenant],
    });
    return (rows as { host: string }[]).map(({ host }) => host);
  }

  readonly #read = async (host: string): Promise<TenantId | undefined> => {
    const { rows } = await this.#options.db.run({
      sql: "SELECT tenant FROM aliases WHERE host = ?",
      params: [host],
    });
    return (rows[0] as { tenant: TenantId } | undefined)?.tenant;
  };
}

/** @throws {TenantryError} `INVALID_ARGUMENT` */
function parseHost(host: string): string {
  const name = host.toLowerCase();
  if (HOST.test(name)) return name;
  throw new TenantryError("INVALID_ARGUMENT", `${JSON.stringify(host.slice(0, 80))} is not a host name.`, {
    hint: "Name the host alone, without scheme, port and path; write other scripts in their xn-- form.",
  });
}
