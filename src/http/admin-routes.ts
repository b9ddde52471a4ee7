// Owns `/admin`: tenants, their hosts, keys, migrations, and the audit log.
// Moves no files (file-routes.ts does), and has no rules of its own about tenants: the lifecycle has them.
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { createApiKey } from "../auth/api-key.ts";
import { SCOPES } from "../auth/caller.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { KeyRecord } from "../catalog/key-table.ts";
import { MAX_PAGE_LIMIT } from "../catalog/page-cursor.ts";
import {
  TENANT_BLOCKS,
  TENANT_DURABILITIES,
  TENANT_STATES,
  type TenantRecord,
} from "../catalog/tenant-record.ts";
import type { TenantQuery } from "../catalog/tenant-table.ts";
import { migrationStatus } from "../migrations/migration-status.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { FleetMigration } from "../tenants/fleet-migration.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import { MAX_BLOCK_REASON_LENGTH, MAX_JWT_KEY_LENGTH } from "../tenants/tenant-settings.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { AdminEnv } from "./env.ts";
import { readJson, readOptionalJson } from "./read-body.ts";

/** What the routes work on. */
export interface AdminRoutesOptions {
  readonly catalog: Catalog;
  readonly tenants: Tenants;
  readonly lifecycle: Lifecycle;
  readonly fleet: FleetMigration;
  readonly maxBodyBytes: number;
}

/** The longest that a key with an end may last: 100 years. */
const MAX_KEY_SECONDS = 100 * 365 * 86_400;

const limit = v.optional(v.nullable(v.pipe(v.number(), v.safeInteger(), v.minValue(1))));

/** What an operator can set for one tenant; null takes it away. */
export const TENANT_SETTINGS = {
  statementTimeoutMs: limit,
  transactionTimeoutMs: limit,
  maxBytes: limit,
  blocked: v.optional(v.nullable(v.picklist(TENANT_BLOCKS))),
  blockReason: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(MAX_BLOCK_REASON_LENGTH)))),
  jwtKey: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(MAX_JWT_KEY_LENGTH)))),
  durability: v.optional(v.nullable(v.picklist(TENANT_DURABILITIES))),
};

/** `POST /admin/tenants`. */
export const CREATE_TENANT_BODY = v.strictObject({ id: v.string(), empty: v.optional(v.boolean()) });
/** `POST /admin/tenants/:tenant/suspend`, whose body may be left out. */
export const SUSPEND_TENANT_BODY = v.strictObject({
  reason: v.optional(v.pipe(v.string(), v.maxLength(500))),
});
/** `PATCH /admin/tenants/:tenant`. */
export const UPDATE_TENANT_BODY = v.pipe(
  v.strictObject(TENANT_SETTINGS),
  v.check((settings) => Object.keys(settings).length > 0, "it changes nothing"),
);
/** `POST /admin/tenants/:tenant/aliases`. */
export const ADD_ALIAS_BODY = v.strictObject({ host: v.string() });
/** `POST /admin/keys`. */
export const CREATE_KEY_BODY = v.strictObject({
  tenant: v.optional(v.nullable(v.string())),
  scope: v.picklist(SCOPES),
  label: v.optional(v.pipe(v.string(), v.maxLength(200))),
  expiresInSeconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_KEY_SECONDS, "is at most 100 years")),
  ),
});
/** `POST /admin/keys/:key/rotate`, whose body may be left out. */
export const ROTATE_KEY_BODY = v.strictObject({
  graceSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
});

/** Seconds that a rotated key goes on working unless the caller says otherwise. */
export const DEFAULT_ROTATE_GRACE_SECONDS = 3600;

/** The administrative API. Whoever mounts it has made sure of the caller's right. */
export function adminRoutes({
  catalog,
  tenants,
  lifecycle,
  fleet,
  maxBodyBytes,
}: AdminRoutesOptions): Hono<AdminEnv> {
  const body = async <const S extends v.GenericSchema>(
    c: Context<AdminEnv>,
    schema: S,
  ): Promise<v.InferOutput<S>> => checkBody(schema, await readJson(c.req, maxBodyBytes));
  const optionalBody = async <const S extends v.GenericSchema>(
    c: Context<AdminEnv>,
    schema: S,
  ): Promise<v.InferOutput<S>> => checkBody(schema, (await readOptionalJson(c.req, maxBodyBytes)) ?? {});
  const find = async (c: Context<AdminEnv>, options: { deleted?: boolean } = {}): Promise<TenantRecord> => {
    const id = tenantOf(c);
    return findTenant(catalog, id, options);
  };

  return new Hono<AdminEnv>()
    .get("/tenants", async (c) => {
      return c.json(await catalog.list(tenantListQuery(c)));
    })
    .post("/tenants", async (c) => {
      const { id, empty = false } = await body(c, CREATE_TENANT_BODY);
      const record = await lifecycle.create(parseTenantId(id), { ...actorOf(c), empty });
      return c.json(record, 201, { location: `/admin/tenants/${record.id}` });
    })
    .get("/tenants/:tenant", async (c) => c.json(await find(c, { deleted: true })))
    .patch("/tenants/:tenant", async (c) => {
      const settings = await body(c, UPDATE_TENANT_BODY);
      return c.json(await lifecycle.configure(tenantOf(c), settings, actorOf(c)));
    })
    .delete("/tenants/:tenant", async (c) => c.json(await lifecycle.delete(tenantOf(c), actorOf(c))))
    .post("/tenants/:tenant/suspend", async (c) => {
      const { reason } = await optionalBody(c, SUSPEND_TENANT_BODY);
      return c.json(
        await lifecycle.suspend(tenantOf(c), { ...actorOf(c), ...(reason !== undefined && { reason }) }),
      );
    })
    .post("/tenants/:tenant/resume", async (c) => c.json(await lifecycle.resume(tenantOf(c), actorOf(c))))
    .post("/tenants/:tenant/migrate", async (c) => c.json(await fleet.one(tenantOf(c))))
    .get("/tenants/:tenant/migrations", async (c) => {
      const record = await find(c);
      return c.json({
        migrations: await tenants.visit(record, (handle) => migrationStatus(handle, tenants.migrations)),
      });
    })
    .get("/tenants/:tenant/aliases", async (c) =>
      c.json({ hosts: await catalog.aliasesOf((await find(c)).id) }),
    )
    .post("/tenants/:tenant/aliases", async (c) => {
      const { host } = await body(c, ADD_ALIAS_BODY);
      await catalog.addAlias(host, tenantOf(c), actorOf(c).actor);
      return c.json({ host: host.toLowerCase() }, 201);
    })
    .delete("/tenants/:tenant/aliases/:host", async (c) => {
      const host = c.req.param("host").toLowerCase();
      if (!(await catalog.aliasesOf((await find(c)).id)).includes(host)) {
        throw new TenantryError("NOT_FOUND", `The tenant has no host ${JSON.stringify(host)}.`, {
          hint: "GET its aliases to see them.",
        });
      }
      await catalog.removeAlias(host, actorOf(c).actor);
      return c.body(null, 204);
    })
    .get("/migrations", async (c) =>
      c.json({
        version: tenants.migrations.version,
        hash: tenants.migrations.hash,
        migrations: tenants.migrations.migrations.map(({ name, checksum }) => ({ name, checksum })),
        behind: await fleet.countBehind(),
        quarantined: (await catalog.count()).quarantined,
      }),
    )
    .get("/keys", async (c) => {
      const { tenant, cursor } = c.req.query();
      const page = await catalog.listKeys({
        ...pageOf(c),
        ...(tenant !== undefined && { tenant: parseTenantId(tenant) }),
        ...(cursor !== undefined && { cursor }),
      });
      return c.json({ keys: page.keys.map(shown), cursor: page.cursor });
    })
    .post("/keys", async (c) => {
      const { tenant, scope, label, expiresInSeconds } = await body(c, CREATE_KEY_BODY);
      if (scope === "admin" && tenant != null) throw adminOfOne();
      const { secret, hash } = await createApiKey();
      const key = await catalog.addKey(
        {
          hash,
          tenant: tenant == null ? null : parseTenantId(tenant),
          scope,
          label: label ?? "",
          expiresAt: expiresInSeconds === undefined ? null : Date.now() + expiresInSeconds * 1000,
        },
        actorOf(c).actor,
      );
      return c.json({ ...shown(key), secret }, 201);
    })
    .delete("/keys/:key", async (c) =>
      c.json(shown(await catalog.revokeKey(c.req.param("key"), actorOf(c).actor))),
    )
    .post("/keys/:key/rotate", async (c) => {
      const { graceSeconds = DEFAULT_ROTATE_GRACE_SECONDS } = await optionalBody(c, ROTATE_KEY_BODY);
      const { secret, hash } = await createApiKey();
      const key = await catalog.rotateKey(c.req.param("key"), hash, graceSeconds, actorOf(c).actor);
      return c.json({ ...shown(key), secret }, 201);
    })
    .get("/audit", async (c) => {
      const { tenant, cursor } = c.req.query();
      return c.json(
        await catalog.listAudit({
          ...pageOf(c),
          ...(tenant !== undefined && { tenant: parseTenantId(tenant) }),
          ...(cursor !== undefined && { cursor }),
        }),
      );
    });
}

/** A key without its hash, which is nobody's business. */
function shown({ hash: _hash, ...key }: KeyRecord): Omit<KeyRecord, "hash"> {
  return key;
}

/** Who acts, for the audit log. */
export function actorOf(c: Context<AdminEnv>): { actor: string } {
  return { actor: c.get("caller").subject };
}

/** The tenant that the path names. @throws {TenantryError} `INVALID_TENANT_ID` */
export function tenantOf(c: Context<AdminEnv>): TenantId {
  return parseTenantId(c.req.param("tenant"));
}

function adminOfOne(): TenantryError {
  return new TenantryError("INVALID_ARGUMENT", "The scope admin is over all tenants, not over one.", {
    hint: "Leave the tenant out, or use the scope schema.",
  });
}

/** Which tenants the query of a request asks for. @throws {TenantryError} `INVALID_ARGUMENT` */
export function tenantListQuery(c: Context<AdminEnv>): TenantQuery {
  const { state, prefix, cursor } = c.req.query();
  return {
    ...pageOf(c),
    ...(state !== undefined && { state: oneOf("state", TENANT_STATES, state) }),
    ...(prefix !== undefined && { prefix }),
    ...(cursor !== undefined && { cursor }),
  };
}

/** The body, or the query, as `schema` has it. @throws {TenantryError} `INVALID_ARGUMENT` */
export function checkBody<const S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  what: "body" | "query" = "body",
): v.InferOutput<S> {
  // An array is an object, too, and one without entries lacks nothing that may be left out.
  const result = v.safeParse(schema, Array.isArray(value) ? undefined : value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue);
  throw new TenantryError(
    "INVALID_ARGUMENT",
    `The ${what}${where ? `'s "${where}"` : ""} is wrong: ${issue.message}.`,
    {
      hint: `GET /openapi.json describes every ${what}.`,
    },
  );
}

function pageOf(c: Context<AdminEnv>): { limit?: number } {
  const limit = c.req.query("limit");
  if (limit === undefined) return {};
  if (!/^\d{1,6}$/.test(limit)) {
    throw new TenantryError(
      "INVALID_ARGUMENT",
      `"limit" is a number, not ${JSON.stringify(limit.slice(0, 40))}.`,
      { hint: `Give a whole number from 1 to ${MAX_PAGE_LIMIT}.` },
    );
  }
  return { limit: Number(limit) };
}

function oneOf<const T extends string>(name: string, allowed: readonly T[], value: string): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw new TenantryError("INVALID_ARGUMENT", `"${name}" is not ${JSON.stringify(value.slice(0, 40))}.`, {
    hint: `It is one of ${allowed.join(", ")}.`,
  });
}
