// Owns `/v1/namespaces`: the administrative API of libSQL's server, for who comes from there. A namespace is a tenant.
// Has no rules of its own about tenants: the lifecycle has them, and docs/libsql.md says what differs.
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { Recovery } from "../backups/recovery.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { SettingsUpdate, TenantRecord } from "../catalog/tenant-record.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { ImportOptions } from "../tenants/acts.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import { settingsOf } from "../tenants/tenant-settings.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import { actorOf, checkBody, tenantListQuery } from "./admin-routes.ts";
import { byteSizeText, parseByteSize } from "./byte-size.ts";
import type { AdminEnv } from "./env.ts";
import { readJson, readOptionalJson } from "./read-body.ts";

/** What has been kept of tenants, beside what they hold now. */
export type NamespaceHistory = Pick<Recovery, "restores" | "erasure" | "flush">;

/** Makes a tenant of the dump that a URL names. */
export type ImportDump = (id: TenantId, url: string, options: ImportOptions) => Promise<TenantRecord>;

/** What the routes work on. */
export interface NamespaceRoutesOptions {
  readonly catalog: Catalog;
  readonly lifecycle: Lifecycle;
  readonly maxBodyBytes: number;
  /** @default a body with `dump_url` is refused */
  readonly importDump?: ImportDump;
  /** Where tenants are replicated. @default forks of a moment and kept backups are refused */
  readonly history?: NamespaceHistory;
}

const text = v.optional(v.nullable(v.string()));
const flag = v.optional(v.nullable(v.boolean()));
const size = v.optional(v.nullable(v.union([v.string(), v.number()])));
const count = v.optional(v.nullable(v.pipe(v.number(), v.safeInteger(), v.minValue(1))));

/** What libSQL's server takes and there is nothing of here: only as much as leaves it out is taken. */
const NOT_HERE = {
  heartbeat_url: text,
  allow_attach: flag,
  bottomless_db_id: text,
  max_row_size: count,
  durability_mode: text,
  shared_schema: flag,
  shared_schema_name: text,
};

/** `POST /v1/namespaces/:namespace/create`, whose body may be left out. */
export const CREATE_NAMESPACE_BODY = v.strictObject({
  dump_url: text,
  max_db_size: size,
  jwt_key: text,
  txn_timeout_s: count,
  /** Not libSQL's: how the dump meets the migrations, `"all"` or the name of one. */
  baseline: v.optional(v.string()),
  ...NOT_HERE,
});
/** `POST /v1/namespaces/:namespace/config`: as a whole, so that what is left out is taken away. */
export const NAMESPACE_CONFIG = v.strictObject({
  block_reads: v.boolean(),
  block_writes: v.boolean(),
  block_reason: text,
  max_db_size: size,
  jwt_key: text,
  txn_timeout_s: count,
  ...NOT_HERE,
});
/** `POST /v1/namespaces/:namespace/fork/:to`, whose body may be left out. */
export const FORK_NAMESPACE_BODY = v.strictObject({
  /** In UTC, with or without a `Z`. */
  timestamp: v.optional(
    v.nullable(
      v.pipe(
        v.string(),
        v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?$/, "is a time such as 2026-11-22T10:00:00"),
        v.check((time) => !Number.isNaN(utcMs(time)), "is no moment of the calendar"),
      ),
    ),
  ),
});
/** `DELETE /v1/namespaces/:namespace`, whose body may be left out: then nothing is done to backups. */
export const DELETE_NAMESPACE_BODY = v.strictObject({ keep_backup: flag });

/** The routes. Whoever mounts them has made sure of the caller's right. */
export function namespaceRoutes(options: NamespaceRoutesOptions): Hono<AdminEnv> {
  const { catalog, lifecycle, maxBodyBytes, importDump, history } = options;
  const body = async <const S extends v.GenericSchema>(
    c: Context<AdminEnv>,
    schema: S,
  ): Promise<v.InferOutput<S>> => checkBody(schema, (await readOptionalJson(c.req, maxBodyBytes)) ?? {});
  const find = async (c: Context<AdminEnv>): Promise<TenantRecord> => {
    const id = namespaceOf(c);
    return findTenant(catalog, id);
  };

  return new Hono<AdminEnv>()
    .get("/namespaces", async (c) => {
      const { tenants, cursor } = await catalog.list(tenantListQuery(c));
      return c.json({ namespaces: tenants.map(shown), cursor });
    })
    .post("/namespaces/:namespace/create", async (c) => {
      const id = namespaceOf(c);
      const { dump_url: url, baseline, ...config } = await body(c, CREATE_NAMESPACE_BODY);
      const settings = configured(config);
      if (url === undefined || url === null) {
        await lifecycle.create(id, { ...actorOf(c), settings });
      } else if (importDump) {
        await importDump(id, url, {
          ...actorOf(c),
          settings,
          ...(baseline !== undefined && { baseline: baseline === "all" ? true : baseline }),
        });
      } else {
        throw unsupported("dump_url", "This server keeps no files.");
      }
      return c.body(null, 200);
    })
    .post("/namespaces/:namespace/fork/:to", async (c) => {
      const { timestamp } = await body(c, FORK_NAMESPACE_BODY);
      const [from, to] = [namespaceOf(c), parseTenantId(c.req.param("to"))];
      if (timestamp === undefined || timestamp === null) {
        await lifecycle.fork(from, to, actorOf(c));
        return c.body(null, 200);
      }
      if (!history) {
        throw unsupported(
          "timestamp",
          "Leave it out for a fork of this moment: older ones take a --replica.",
        );
      }
      const settings = settingsOf(await find(c));
      const moment = { kind: "replica", at: utcMs(timestamp) } as const;
      await history.restores.toNew(from, to, moment, { ...actorOf(c), settings });
      return c.body(null, 200);
    })
    .delete("/namespaces/:namespace", async (c) => {
      const { keep_backup: keep } = await body(c, DELETE_NAMESPACE_BODY);
      const record = await find(c);
      if (keep && !history) {
        throw unsupported(
          "keep_backup",
          "Nothing is backed up without a --replica: export the tenant first.",
        );
      }
      if (keep && (await history?.flush(record)) === undefined) throw notKept(record.id);
      if (keep === false && history) await history.erasure.erase(record.id, actorOf(c));
      else await lifecycle.delete(record.id, actorOf(c));
      return c.body(null, 200);
    })
    .get("/namespaces/:namespace/config", async (c) => c.json(configOf(await find(c))))
    .post("/namespaces/:namespace/config", async (c) => {
      const id = namespaceOf(c);
      const config = checkBody(NAMESPACE_CONFIG, await readJson(c.req, maxBodyBytes));
      const { block_reads: reads, block_writes: writes, block_reason: reason } = config;
      await lifecycle.configure(
        id,
        {
          ...configured(config),
          blocked: reads ? "all" : writes ? "writes" : null,
          blockReason: reason ?? null,
          jwtKey: config.jwt_key ?? null,
          transactionTimeoutMs: inMs(config.txn_timeout_s) ?? null,
        },
        actorOf(c),
      );
      return c.body(null, 200);
    })
    .post("/namespaces/:namespace/checkpoint", async (c) => {
      await lifecycle.checkpoint(namespaceOf(c));
      return c.body(null, 200);
    });
}

function namespaceOf(c: Context<AdminEnv>): TenantId {
  return parseTenantId(c.req.param("namespace"));
}

function shown({ id, state, sizeBytes, createdAt, blocked }: TenantRecord): object {
  return {
    name: id,
    state,
    storage_bytes_used: sizeBytes,
    created_at: new Date(createdAt).toISOString(),
    block_reads: blocked === "all",
    block_writes: blocked !== null,
  };
}

/** As libSQL's server gives it: what was got can be sent back. */
function configOf({ blocked, blockReason, maxBytes, jwtKey, transactionTimeoutMs }: TenantRecord): object {
  return {
    block_reads: blocked === "all",
    block_writes: blocked !== null,
    block_reason: blockReason,
    max_db_size: maxBytes === null ? null : byteSizeText(maxBytes),
    heartbeat_url: null,
    jwt_key: jwtKey,
    allow_attach: false,
    txn_timeout_s: transactionTimeoutMs === null ? null : Math.ceil(transactionTimeoutMs / 1000),
    durability_mode: null,
  };
}

type Config = Partial<
  Pick<v.InferOutput<typeof NAMESPACE_CONFIG>, "max_db_size" | "jwt_key" | "txn_timeout_s">
> &
  Partial<Record<keyof typeof NOT_HERE, unknown>>;

/** The settings that a configuration names. @throws {TenantryError} `UNSUPPORTED`, `INVALID_ARGUMENT` */
function configured(config: Config): SettingsUpdate {
  for (const name of Object.keys(NOT_HERE) as (keyof typeof NOT_HERE)[]) {
    if (config[name]) throw unsupported(name, "Leave it out, or send null or false.");
  }
  const { max_db_size: maxSize, jwt_key: jwtKey, txn_timeout_s: seconds } = config;
  return {
    ...(maxSize !== undefined && maxSize !== null && { maxBytes: parseByteSize("max_db_size", maxSize) }),
    ...(jwtKey !== undefined && jwtKey !== null && { jwtKey }),
    ...(seconds !== undefined && { transactionTimeoutMs: inMs(seconds) ?? null }),
  };
}

function inMs(seconds: number | null | undefined): number | undefined {
  return seconds === undefined || seconds === null ? undefined : seconds * 1000;
}

/** Milliseconds since 1970. */
function utcMs(time: string): number {
  return Date.parse(time.endsWith("Z") ? time : `${time}Z`);
}

function notKept(tenant: TenantId): TenantryError {
  return new TenantryError("BACKUPS_UNAVAILABLE", `The last writes of "${tenant}" could not be backed up.`, {
    tenant,
    hint: 'Nothing was deleted. See "tenantry backups status", and try again.',
    retryAfterSeconds: 5,
  });
}

function unsupported(name: string, hint: string): TenantryError {
  return new TenantryError("UNSUPPORTED", `There is no "${name}" here.`, { hint });
}
