// Owns Hrana over HTTP as a sqld or Turso has it: without Tenantry's guard, catalog or limits. Knows no files, and
// does not listen.
import type { Context, Hono } from "hono";
import type { LocalHandle } from "../../src/drivers/local/local-handle.ts";
import type { TenantryEnv } from "../../src/http/env.ts";
import { newBatonKey } from "../../src/hrana/baton.ts";
import { HranaPipelines } from "../../src/http/hrana-pipelines.ts";
import { hranaRoutes } from "../../src/http/hrana-routes.ts";
import { inspectStatement } from "../../src/sql/inspect-statement.ts";
import { parseTenantId } from "../../src/tenant-id.ts";

/** The routes, for requests that {@link giveDatabase} was done for. */
export function plainEndpoint(handleOf: (name: string) => Promise<LocalHandle>): Hono<TenantryEnv> {
  return hranaRoutes(
    new HranaPipelines({
      guard: { admit: (sql: string) => inspectStatement(sql) },
      maxParameters: 32_766,
      batonKey: newBatonKey(),
      openSession: async (tenant) => {
        const session = await (await handleOf(tenant)).session();
        return { session, release: () => session.close() };
      },
    }),
  );
}

/** Gives a request its database. */
export function giveDatabase(c: Context<TenantryEnv>, name: string, handle: LocalHandle): void {
  c.set("tenant", parseTenantId(name));
  c.set("schemaKey", name);
  c.set("runner", handle);
  c.set("limits", { maxRows: 1e9, maxResponseBytes: 1e9, maxBodyBytes: 1e9 });
  c.set("authorize", () => {});
}
