// Owns tenants in D1 databases that a Worker is bound to: which binding is whose, and making one ready or empty.
// Makes no database: wrangler does, and a deployment binds it.
import { TenantryError } from "../../tenantry-error.ts";
import type { Driver, Handle } from "../driver.ts";
import { stageRemote } from "../remote/remote-provisioner.ts";
import { RemoteSql } from "../remote/remote-sql.ts";
import type { D1Binding } from "./d1-binding.ts";
import { d1Handle } from "./d1-handle.ts";
import { emptyD1 } from "./empty-d1.ts";

/** Options of {@link d1BindingDriver}. */
export interface D1BindingDriverOptions {
  /**
   * Whose database is which: by tenant, or by a function, such as {@link byTemplate} makes. A tenant without one
   * cannot be created.
   */
  readonly databases: Readonly<Record<string, D1Binding>> | ((tenant: string) => D1Binding | undefined);
}

/** A driver of bound D1 databases. */
export interface D1BindingDriver extends Driver {
  readonly name: "d1";
}

/**
 * Tenants in D1 databases of this Worker's bindings, of which a Worker has up to about 5,000, bound when it is
 * deployed. Creating a tenant migrates its database; deleting one empties it.
 *
 * @example
 * const driver = d1BindingDriver({ databases: byTemplate(env, "TENANT_{TENANT}") });
 */
export function d1BindingDriver({ databases }: D1BindingDriverOptions): D1BindingDriver {
  const sql = new RemoteSql();
  const find = (name: string): D1Binding | undefined =>
    typeof databases === "function"
      ? databases(name)
      : Object.hasOwn(databases, name)
        ? databases[name]
        : undefined;
  const handleOf = (name: string): Handle => {
    const binding = find(name);
    if (typeof binding?.prepare === "function") return d1Handle(binding, sql);
    throw new TenantryError("DATABASE_MISSING", `No D1 database is bound for "${name}".`, {
      hint: 'Create one with "wrangler d1 create", bind it in wrangler.toml, and deploy.',
    });
  };

  return {
    name: "d1",
    capabilities: { transactions: false, sessions: false, snapshots: false, bigint: false, bookmarks: true },
    descriptorsPerHandle: 0,
    open: async (name) => handleOf(name),
    exists: async (name) => find(name) !== undefined,
    async stage(name, source) {
      if ("file" in source) {
        throw new TenantryError("UNSUPPORTED", "D1 cannot take over a database file.", {
          hint: "Create the tenant, and copy its tables.",
        });
      }
      const handle = handleOf(name);
      // What wrangler has migrated was made for this tenant: the operator has bound it so.
      const journal = { sql: "SELECT 1 FROM sqlite_schema WHERE name = 'd1_migrations'", params: [] };
      const prepared = (await handle.run(journal)).rows.length > 0;
      return stageRemote(name, prepared, async () => handle, source.build);
    },
    // Nobody has a D1 database open. Isolates go on for as long as they take the catalog to be as they read it.
    quiesce: async () => {},
    remove: async (name) => emptyD1(handleOf(name)),
  } satisfies D1BindingDriver;
}

/**
 * Bindings by a template with `{TENANT}` for the tenant's id in capitals: `TENANT_{TENANT}` is `TENANT_ACME_CO` for
 * `acme-co`. Ids with `_` have none, because two ids would share it.
 */
export function byTemplate(env: object, template: string): (tenant: string) => D1Binding | undefined {
  if (!template.includes("{TENANT}")) {
    throw new TenantryError(
      "INVALID_OPTION",
      `The template ${JSON.stringify(template)} is the same for all tenants.`,
      {
        hint: 'Write "TENANT_{TENANT}", for example.',
      },
    );
  }
  return (tenant) => {
    if (tenant.includes("_")) return undefined;
    const name = template.replaceAll("{TENANT}", tenant.toUpperCase().replaceAll("-", "_"));
    return Object.hasOwn(env, name) ? (env as Record<string, D1Binding>)[name] : undefined;
  };
}

/** The handle of one bound database, such as the catalog's. */
export function d1Database(binding: D1Binding): Handle {
  // A binding that wrangler.toml does not name is undefined, whatever its type says.
  if (typeof (binding as D1Binding | undefined)?.prepare === "function")
    return d1Handle(binding, new RemoteSql());
  throw new TenantryError("INVALID_OPTION", "The binding of the D1 database is not there.", {
    hint: "Bind it in wrangler.toml: [[d1_databases]].",
  });
}
