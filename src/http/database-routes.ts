// Owns a tenant's whole database in an administrator's hands: Hrana without the wall around internal tables, for
// copies, and taking it back in time. Mounted below `/admin`: whoever mounts it has made sure of the caller's right.
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { BOOKMARK } from "../drivers/bookmark.ts";
import type { Handle } from "../drivers/driver.ts";
import type { PinnedSession } from "../hrana/stream-connection.ts";
import { createGuard } from "../sql/guard.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import { bookmarkOf, rewind } from "../tenants/rewind.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import { actorOf, checkBody, tenantOf } from "./admin-routes.ts";
import type { AppSettings } from "./app-options.ts";
import type { AdminEnv, TenantryEnv } from "./env.ts";
import { HranaPipelines } from "./hrana-pipelines.ts";
import { hranaProbes, hranaRoutes } from "./hrana-routes.ts";
import { readJson } from "./read-body.ts";

/** What the routes work on. */
export interface DatabaseRoutesOptions {
  readonly tenants: Tenants;
  readonly lifecycle: Lifecycle;
  readonly settings: AppSettings;
}

const time = v.pipe(v.string(), v.isoTimestamp("is a time such as 2026-11-22T08:00:00Z"));

/** `POST /admin/tenants/:tenant/rewind`: one of the two. */
export const REWIND_BODY = v.union([
  v.strictObject({ bookmark: v.pipe(v.string(), v.regex(BOOKMARK, "is no bookmark")) }),
  v.strictObject({ at: time }),
]);

/** `…/bookmark`, `…/rewind`, and `…/database`, which is Hrana's. */
export function databaseRoutes({ tenants, lifecycle, settings }: DatabaseRoutesOptions): Hono<AdminEnv> {
  const { maxRows, maxResponseBytes, maxBodyBytes, maxSqlBytes, maxParameters } = settings;
  const recordOf = async (c: Context): Promise<TenantRecord> => {
    const id = tenantOf(c);
    return findTenant(tenants.catalog, id, { upToNow: true });
  };

  const database = new Hono<TenantryEnv>().use(async (c, next) => {
    const record = await recordOf(c);
    const { capabilities } = tenants.driverOf(record);
    const visit = <T>(fn: (handle: Handle) => Promise<T>): Promise<T> => tenants.visit(record, fn);
    c.set("tenant", record.id);
    c.set("schemaKey", `database:${record.incarnation}`);
    c.set("sessions", capabilities.sessions);
    c.set("limits", { maxRows, maxResponseBytes, maxBodyBytes });
    c.set("runner", {
      run: (statement, options) => visit((handle) => handle.run(statement, options)),
      batch: (statements, options) => visit((handle) => handle.batch(statements, options)),
      exec: (sql) => visit((handle) => handle.exec(sql)),
    });
    c.set("authorize", (needs) => {
      if (needs !== "read" && record.state !== "suspended") throw inUse(record);
    });
    await next();
  });
  database.route("/", hranaProbes());
  database.route(
    "/",
    hranaRoutes(
      new HranaPipelines({
        guard: createGuard({ maxSqlBytes, internalTables: true }),
        openSession: (id) => openSession(tenants, id),
        maxParameters,
        batonKey: settings.batonKey,
      }),
      settings.onInternalError,
    ),
  );

  const routes = new Hono<AdminEnv>()
    .get("/tenants/:tenant/bookmark", async (c) => {
      const { at } = checkBody(v.strictObject({ at: v.optional(time) }), c.req.query(), "query");
      return c.json({
        bookmark: await bookmarkOf(tenants, tenantOf(c), at === undefined ? at : Date.parse(at)),
      });
    })
    .post("/tenants/:tenant/rewind", async (c) => {
      const point = checkBody(REWIND_BODY, await readJson(c.req, maxBodyBytes));
      const to = "at" in point ? { at: Date.parse(point.at) } : point;
      return c.json(await rewind({ tenants, lifecycle }, tenantOf(c), to, actorOf(c)));
    });
  return routes.route("/tenants/:tenant/database", database as never);
}

/** A connection of its own, also to a tenant that nobody else may reach. */
async function openSession(tenants: Tenants, id: TenantId): Promise<PinnedSession> {
  const record = await findTenant(tenants.catalog, id, { upToNow: true });
  if (record.state === "active") return tenants.session(id);
  const handle = await tenants.driverOf(record).open(id, record);
  try {
    const session = await handle.session();
    return { session, release: () => session.close().finally(() => handle.close()) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function inUse({ id, state }: TenantRecord): TenantryError {
  return new TenantryError(
    "TENANT_STATE",
    `Tenant "${id}" is ${state}: what is in use is not written over.`,
    {
      tenant: id,
      hint: 'Suspend it first, or make one that is empty: POST /admin/tenants {"id", "empty": true}.',
    },
  );
}
