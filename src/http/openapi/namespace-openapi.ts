// Owns the list of `/v1/namespaces`' routes, libSQL's administrative API, as `/openapi.json` describes them.
// Serves none of them; a test holds the list against the routes that there are.
import * as v from "valibot";
import { TENANT_STATES } from "../../catalog/tenant-record.ts";
import {
  CREATE_NAMESPACE_BODY,
  DELETE_NAMESPACE_BODY,
  FORK_NAMESPACE_BODY,
  NAMESPACE_CONFIG,
} from "../namespace-routes.ts";
import { NAMESPACE_STATS } from "../namespace-stats-routes.ts";
import { CURSOR } from "./document-shapes.ts";
import type { RouteDescription } from "./route-description.ts";

const DONE = { 200: { description: "Done. There is no body." } };
const NAMESPACE = v.object({
  name: v.string(),
  state: v.picklist(TENANT_STATES),
  storage_bytes_used: v.number(),
  created_at: v.string(),
  block_reads: v.boolean(),
  block_writes: v.boolean(),
});
const common = { tag: "namespaces", scope: "admin" } as const;

/** Every route below `/v1/namespaces`. */
export const NAMESPACE_ROUTES: readonly RouteDescription[] = [
  {
    ...common,
    method: "get",
    path: "/v1/namespaces",
    summary: "List namespaces, in the order of their names",
    query: {
      limit: { schema: v.pipe(v.number(), v.integer(), v.minValue(1)), description: "Entries at most." },
      cursor: { schema: v.string(), description: "What the page before gave as `cursor`." },
      state: { schema: v.picklist(TENANT_STATES), description: "Only those in this state." },
      prefix: { schema: v.string(), description: "Only those whose name begins with this." },
    },
    responses: {
      200: {
        description: "A page of them.",
        body: v.object({ namespaces: v.array(NAMESPACE), cursor: CURSOR }),
      },
    },
  },
  {
    ...common,
    method: "post",
    path: "/v1/namespaces/{namespace}/create",
    summary: "Create a tenant as libSQL's server does a namespace, empty or of a dump",
    body: CREATE_NAMESPACE_BODY,
    bodyOptional: true,
    responses: DONE,
    errors: ["INVALID_TENANT_ID", "TENANT_EXISTS", "IMPORT_INVALID", "UNSUPPORTED"],
  },
  {
    ...common,
    method: "post",
    path: "/v1/namespaces/{namespace}/fork/{to}",
    summary: "Create a tenant with what another one holds now, or held at a moment",
    body: FORK_NAMESPACE_BODY,
    bodyOptional: true,
    responses: DONE,
    errors: [
      "TENANT_NOT_FOUND",
      "TENANT_EXISTS",
      "UNSUPPORTED",
      "REPLICA_EMPTY",
      "REPLICA_RANGE",
      "REPLICA_DAMAGED",
      "BACKUPS_UNAVAILABLE",
    ],
  },
  {
    ...common,
    method: "delete",
    path: "/v1/namespaces/{namespace}",
    summary: "Delete a tenant and its database, and its backups if they are not to be kept",
    body: DELETE_NAMESPACE_BODY,
    bodyOptional: true,
    responses: DONE,
    errors: ["TENANT_NOT_FOUND", "UNSUPPORTED", "BACKUPS_UNAVAILABLE", "ERASE_INCOMPLETE"],
  },
  {
    ...common,
    method: "get",
    path: "/v1/namespaces/{namespace}/config",
    summary: "A tenant's blocks, limits and key",
    responses: { 200: { description: "The configuration.", body: NAMESPACE_CONFIG } },
    errors: ["TENANT_NOT_FOUND"],
  },
  {
    ...common,
    method: "post",
    path: "/v1/namespaces/{namespace}/config",
    summary: "Set a tenant's blocks, limits and key",
    body: NAMESPACE_CONFIG,
    responses: DONE,
    errors: ["TENANT_NOT_FOUND", "UNSUPPORTED"],
  },
  {
    ...common,
    method: "post",
    path: "/v1/namespaces/{namespace}/checkpoint",
    summary: "Fold a tenant's write-ahead log into its file",
    responses: DONE,
    errors: ["TENANT_NOT_FOUND", "DATABASE_BUSY"],
  },
  {
    ...common,
    method: "get",
    path: "/v1/namespaces/{namespace}/stats",
    summary: "What a tenant's statements came to since their process began",
    responses: {
      200: { description: "Rows, time, and the statements with most of them.", body: NAMESPACE_STATS },
    },
    errors: ["TENANT_NOT_FOUND"],
  },
  {
    ...common,
    method: "delete",
    path: "/v1/namespaces/{namespace}/stats/{list}",
    summary: "Forget a tenant's statements one by one; what they came to in all stays",
    responses: DONE,
    errors: ["TENANT_NOT_FOUND", "INVALID_ARGUMENT"],
  },
];
