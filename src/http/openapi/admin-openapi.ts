// Owns the list of the routes that every runtime has as `/openapi.json` describes them: machine-openapi.ts has more.
// Serves none of them; a test holds the list against the routes that there are.
import * as v from "valibot";
import { TENANT_STATES } from "../../catalog/tenant-record.ts";
import {
  ADD_ALIAS_BODY,
  CREATE_KEY_BODY,
  CREATE_TENANT_BODY,
  ROTATE_KEY_BODY,
  SUSPEND_TENANT_BODY,
  UPDATE_TENANT_BODY,
} from "../admin-routes.ts";
import { REWIND_BODY } from "../database-routes.ts";
import {
  AUDIT_ENTRY,
  BOOKMARK,
  CURSOR,
  KEY,
  MIGRATION,
  NEW_KEY,
  RESULT,
  REWOUND,
  STATEMENT,
  STATUS,
  TENANT,
} from "./document-shapes.ts";
import {
  created,
  describedPaths,
  type Json,
  ok,
  OPENAPI_VERSION,
  type RouteDescription,
  sharedComponents,
} from "./route-description.ts";

const PAGE = {
  limit: { schema: v.pipe(v.number(), v.integer(), v.minValue(1)), description: "Entries at most." },
  cursor: { schema: v.string(), description: "What the page before gave as `cursor`." },
};
const OF_TENANT = { tenant: { schema: v.string(), description: "Only those of this tenant." } };

/** Every route that there is on all runtimes, and is not a tenant's own table. */
export const ROUTES: readonly RouteDescription[] = [
  {
    method: "get",
    path: "/admin/tenants",
    tag: "tenants",
    summary: "List tenants, in the order of their ids",
    scope: "admin",
    query: {
      ...PAGE,
      state: { schema: v.picklist(TENANT_STATES), description: "Only those in this state." },
      prefix: { schema: v.string(), description: "Only those whose id begins with this." },
    },
    responses: ok("A page of tenants.", v.object({ tenants: v.array(TENANT), cursor: CURSOR })),
  },
  {
    method: "post",
    path: "/admin/tenants",
    tag: "tenants",
    summary: "Create a tenant with an empty, migrated database",
    scope: "admin",
    body: CREATE_TENANT_BODY,
    responses: created("The tenant.", TENANT),
    errors: ["INVALID_TENANT_ID", "TENANT_EXISTS"],
  },
  {
    method: "get",
    path: "/admin/tenants/{tenant}",
    tag: "tenants",
    summary: "Show a tenant",
    scope: "admin",
    responses: ok("The tenant.", TENANT),
    errors: ["TENANT_NOT_FOUND"],
  },
  {
    method: "patch",
    path: "/admin/tenants/{tenant}",
    tag: "tenants",
    summary: "Change a tenant's own limits, its block and its key",
    scope: "admin",
    body: UPDATE_TENANT_BODY,
    responses: ok("The tenant.", TENANT),
    errors: ["TENANT_NOT_FOUND"],
  },
  {
    method: "delete",
    path: "/admin/tenants/{tenant}",
    tag: "tenants",
    summary: "Delete a tenant and its database",
    scope: "admin",
    responses: ok("The tenant as it was.", TENANT),
    errors: ["TENANT_NOT_FOUND"],
  },
  {
    method: "get",
    path: "/admin/tenants/{tenant}/bookmark",
    tag: "tenants",
    summary: "Where the tenant's database is in time, where its service keeps its past: D1, Durable Objects",
    scope: "admin",
    query: { at: { schema: v.string(), description: "Where it was then, in ISO 8601." } },
    responses: ok("The bookmark.", BOOKMARK),
    errors: ["TENANT_NOT_FOUND", "UNSUPPORTED"],
  },
  {
    method: "post",
    path: "/admin/tenants/{tenant}/rewind",
    tag: "tenants",
    summary: "Take the tenant's database back to a bookmark or a time, in place; it is suspended meanwhile",
    scope: "admin",
    body: REWIND_BODY,
    responses: ok("The tenant, the bookmark that it was taken to, and the one that undoes it.", REWOUND),
    errors: ["TENANT_NOT_FOUND", "TENANT_STATE", "UNSUPPORTED", "INVALID_ARGUMENT"],
  },
  {
    method: "post",
    path: "/admin/tenants/{tenant}/suspend",
    tag: "tenants",
    summary: "Close a tenant: nobody reaches it until it is resumed",
    scope: "admin",
    body: SUSPEND_TENANT_BODY,
    bodyOptional: true,
    responses: ok("The tenant.", TENANT),
    errors: ["TENANT_NOT_FOUND", "TENANT_STATE"],
  },
  {
    method: "post",
    path: "/admin/tenants/{tenant}/resume",
    tag: "tenants",
    summary: "Open a suspended tenant again",
    scope: "admin",
    responses: ok("The tenant.", TENANT),
    errors: ["TENANT_NOT_FOUND", "TENANT_STATE"],
  },
  {
    method: "post",
    path: "/admin/tenants/{tenant}/migrate",
    tag: "migrations",
    summary: "Bring a tenant to the current schema; a quarantined one too",
    scope: "admin",
    responses: ok("What was done.", v.looseObject({})),
    errors: ["TENANT_NOT_FOUND", "MIGRATION_FAILED", "MIGRATION_MISSING"],
  },
  {
    method: "get",
    path: "/admin/tenants/{tenant}/migrations",
    tag: "migrations",
    summary: "Which migrations a tenant has",
    scope: "admin",
    responses: ok("The migrations.", v.object({ migrations: v.array(MIGRATION) })),
    errors: ["TENANT_NOT_FOUND"],
  },
  {
    method: "get",
    path: "/admin/tenants/{tenant}/aliases",
    tag: "hosts",
    summary: "List the hosts of a tenant",
    scope: "admin",
    responses: ok("The hosts.", v.object({ hosts: v.array(v.string()) })),
    errors: ["TENANT_NOT_FOUND"],
  },
  {
    method: "post",
    path: "/admin/tenants/{tenant}/aliases",
    tag: "hosts",
    summary: "Give a tenant a host of its own",
    scope: "admin",
    body: ADD_ALIAS_BODY,
    responses: created("The host.", v.object({ host: v.string() })),
    errors: ["TENANT_NOT_FOUND", "ALIAS_EXISTS"],
  },
  {
    method: "delete",
    path: "/admin/tenants/{tenant}/aliases/{host}",
    tag: "hosts",
    summary: "Take a host from a tenant",
    scope: "admin",
    responses: { 204: { description: "Done." } },
    errors: ["TENANT_NOT_FOUND", "NOT_FOUND"],
  },
  {
    method: "get",
    path: "/admin/migrations",
    tag: "migrations",
    summary: "The migrations there are, and how many tenants are behind",
    scope: "admin",
    responses: ok(
      "The migrations.",
      v.object({
        version: v.string(),
        hash: v.string(),
        migrations: v.array(v.object({ name: v.string(), checksum: v.string() })),
        behind: v.number(),
        quarantined: v.number(),
      }),
    ),
  },
  {
    method: "get",
    path: "/admin/keys",
    tag: "keys",
    summary: "List API keys",
    scope: "admin",
    query: { ...PAGE, ...OF_TENANT },
    responses: ok("A page of keys, without their secrets.", v.object({ keys: v.array(KEY), cursor: CURSOR })),
  },
  {
    method: "post",
    path: "/admin/keys",
    tag: "keys",
    summary: "Make an API key",
    scope: "admin",
    body: CREATE_KEY_BODY,
    responses: created("The key with its secret.", NEW_KEY),
    errors: ["TENANT_NOT_FOUND"],
  },
  {
    method: "delete",
    path: "/admin/keys/{key}",
    tag: "keys",
    summary: "Revoke an API key",
    scope: "admin",
    responses: ok("The key.", KEY),
    errors: ["NOT_FOUND"],
  },
  {
    method: "post",
    path: "/admin/keys/{key}/rotate",
    tag: "keys",
    summary: "Replace an API key; the old one goes on working for a while",
    scope: "admin",
    body: ROTATE_KEY_BODY,
    bodyOptional: true,
    responses: created("The new key with its secret.", NEW_KEY),
    errors: ["NOT_FOUND"],
  },
  {
    method: "get",
    path: "/admin/audit",
    tag: "audit",
    summary: "Who did what, the newest first",
    scope: "admin",
    query: { ...PAGE, ...OF_TENANT },
    responses: ok("A page of acts.", v.object({ entries: v.array(AUDIT_ENTRY), cursor: CURSOR })),
  },
  {
    method: "post",
    path: "/t/{tenant}/query",
    tag: "sql",
    summary: "Run one statement",
    scope: "read",
    body: STATEMENT,
    responses: ok("What it gave, as D1 answers.", RESULT),
    errors: ["SQL_ERROR", "SQL_REFUSED", "CONSTRAINT", "TOO_MANY_ROWS"],
  },
  {
    method: "post",
    path: "/t/{tenant}/batch",
    tag: "sql",
    summary: "Run several statements, all or none",
    scope: "read",
    body: v.array(STATEMENT),
    responses: ok("What each gave.", v.array(RESULT)),
    errors: ["SQL_ERROR", "SQL_REFUSED", "CONSTRAINT"],
  },
  {
    method: "get",
    path: "/t/{tenant}/schema",
    tag: "sql",
    summary: "The tables, views, columns, indexes and keys",
    scope: "read",
    responses: ok(
      "The schema.",
      v.object({
        schemaVersion: v.nullable(v.number()),
        tables: v.array(v.looseObject({ name: v.string() })),
      }),
    ),
  },
  {
    method: "get",
    path: "/t/{tenant}/openapi.json",
    tag: "sql",
    summary: "This tenant's tables as an OpenAPI document",
    scope: "read",
    responses: ok("The document.", v.looseObject({})),
  },
  {
    method: "get",
    path: "/healthz",
    tag: "health",
    summary: "Whether the process is alive",
    scope: "none",
    responses: ok("It is.", STATUS),
  },
  {
    method: "get",
    path: "/readyz",
    tag: "health",
    summary: "Whether it is to be sent requests",
    scope: "none",
    responses: ok("It is.", STATUS),
    errors: ["CLOSED"],
  },
  {
    method: "get",
    path: "/openapi.json",
    tag: "health",
    summary: "This document",
    scope: "none",
    responses: ok("The document.", v.looseObject({})),
  },
];

export interface AdminOpenApiOptions {
  /** The version of Tenantry. @default "1" */
  readonly version?: string;
  /** Where the server is. @default "/" */
  readonly serverUrl?: string;
  /** The routes that there are. @default {@link ROUTES} */
  readonly routes?: readonly RouteDescription[];
}

/** The OpenAPI document of the server. It costs a millisecond to make: make it once. */
export function adminOpenApi({
  version = "1",
  serverUrl = "/",
  routes = ROUTES,
}: AdminOpenApiOptions = {}): Json {
  return {
    openapi: OPENAPI_VERSION,
    info: {
      title: "Tenantry",
      version,
      description:
        "Tenants, each with a SQLite database of its own. The rows of a tenant's tables are described by the tenant's own document, /t/{tenant}/openapi.json. A tenant can also be named by the header X-Tenant-Id or by its host, and the path then begins without /t/{tenant}.",
    },
    servers: [{ url: serverUrl }],
    paths: describedPaths(routes),
    components: sharedComponents(),
  };
}
