// Owns the shapes of what the server takes and gives, as its OpenAPI document shows them.
// Checks nothing: the routes check their own bodies.
import * as v from "valibot";
import { SCOPES } from "../../auth/caller.ts";
import { TENANT_BLOCKS, TENANT_DURABILITIES, TENANT_STATES } from "../../catalog/tenant-record.ts";
import type { BodyDescription } from "./route-description.ts";

const time = v.pipe(v.number(), v.integer(), v.description("Milliseconds since 1970, UTC."));
const bytes = v.pipe(v.number(), v.integer(), v.minValue(0));
/** How every page says where the next one begins. */
export const CURSOR = v.pipe(
  v.nullable(v.string()),
  v.description("Where the next page begins; null at the end."),
);

export const TENANT = v.object({
  id: v.string(),
  incarnation: v.pipe(v.string(), v.description("New each time a tenant of that id is made.")),
  state: v.picklist(TENANT_STATES),
  reason: v.nullable(v.string()),
  driver: v.string(),
  shard: v.string(),
  schemaVersion: v.pipe(v.string(), v.description("The newest migration applied.")),
  schemaHash: v.string(),
  sizeBytes: bytes,
  createdAt: time,
  updatedAt: time,
  openedAt: v.nullable(time),
  deletedAt: v.nullable(time),
  statementTimeoutMs: v.pipe(
    v.nullable(v.number()),
    v.description("Milliseconds that a request may take; null for the server's own limit."),
  ),
  transactionTimeoutMs: v.pipe(
    v.nullable(v.number()),
    v.description("Milliseconds that a transaction may be open; null for the server's own limit."),
  ),
  maxBytes: v.pipe(
    v.nullable(bytes),
    v.description("Bytes that the database may grow to; null for the server's own limit."),
  ),
  blocked: v.pipe(v.nullable(v.picklist(TENANT_BLOCKS)), v.description("What its callers cannot do.")),
  blockReason: v.nullable(v.string()),
  jwtKey: v.pipe(v.nullable(v.string()), v.description("A public key whose tokens are good for it alone.")),
  durability: v.pipe(
    v.nullable(v.picklist(TENANT_DURABILITIES)),
    v.description("When its writes are acknowledged: once committed, or once in the replica, too."),
  ),
});
export const KEY = v.object({
  id: v.string(),
  tenant: v.nullable(v.string()),
  scope: v.picklist(SCOPES),
  label: v.string(),
  createdAt: time,
  expiresAt: v.nullable(time),
  revokedAt: v.nullable(time),
  lastUsedAt: v.nullable(time),
});
export const NEW_KEY = v.object({
  ...KEY.entries,
  secret: v.pipe(v.string(), v.description("The key itself. It is told once.")),
});
export const AUDIT_ENTRY = v.object({
  id: v.number(),
  at: time,
  actor: v.string(),
  action: v.string(),
  tenant: v.nullable(v.string()),
  detail: v.unknown(),
});
export const SNAPSHOT = v.object({
  tenant: v.string(),
  name: v.pipe(v.string(), v.description("Its moment in UTC, such as 2026-11-22T10-00-00.000Z.")),
  at: time,
  storedBytes: v.number(),
});
export const JOB = v.object({
  id: v.string(),
  kind: v.string(),
  tenant: v.nullable(v.string()),
  state: v.picklist(["running", "done", "failed"]),
  phase: v.pipe(v.string(), v.description("How far it is.")),
  startedAt: time,
  endedAt: v.nullable(time),
  result: v.unknown(),
  error: v.nullable(v.object({ code: v.string(), message: v.string(), hint: v.optional(v.string()) })),
});
export const MIGRATION = v.object({
  name: v.string(),
  state: v.picklist(["applied", "pending", "drifted", "missing"]),
});
export const STATEMENT = v.object({
  sql: v.string(),
  params: v.optional(v.array(v.union([v.null(), v.number(), v.string(), v.boolean()]))),
});
export const RESULT = v.object({
  success: v.literal(true),
  results: v.array(v.record(v.string(), v.unknown())),
  meta: v.looseObject({
    duration: v.number(),
    changes: v.number(),
    last_row_id: v.number(),
    changed_db: v.boolean(),
    size_after: v.number(),
    rows_read: v.number(),
    rows_written: v.number(),
  }),
});
export const BOOKMARK = v.object({ bookmark: v.string() });
export const REWOUND = v.object({ tenant: TENANT, bookmark: v.string(), undo: v.string() });
export const STATUS = v.object({ status: v.string() });
export const SQLITE_FILE: BodyDescription = {
  mediaType: "application/vnd.sqlite3",
  description: "A SQLite file.",
};
export const SQL_TEXT: BodyDescription = {
  mediaType: "application/sql",
  description: "SQL statements, as the sqlite3 shell's .dump writes them.",
};
