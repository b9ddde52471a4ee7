// Owns `/v1/namespaces/:namespace/stats`: what a tenant's statements came to, as libSQL's server tells it.
// Counts nothing itself.
import { Hono } from "hono";
import * as v from "valibot";
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { percentileMs, type StatementFigure, type StatementFigures } from "../drivers/statement-figures.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { AdminEnv } from "./env.ts";

/** What a tenant's statements came to; undefined where none has run. */
export type TenantFigures = (tenant: TenantId) => Promise<StatementFigures | undefined>;

/** What the routes work on. */
export interface NamespaceStatsOptions {
  readonly catalog: Catalog;
  readonly tenants: Tenants;
  /** @default nothing is counted */
  readonly figures?: TenantFigures;
  readonly forgetStatements?: (tenant: TenantId) => Promise<void>;
}

/** Statements in a list of the most of them. */
const LISTED = 10;
/** Rows and milliseconds of one statement. */
const rows = { rows_written: v.number(), rows_read: v.number() };
const ms = v.number();
/** The answer to `GET /v1/namespaces/:namespace/stats`. */
export const NAMESPACE_STATS = v.object({
  id: v.string(),
  rows_read_count: v.number(),
  rows_written_count: v.number(),
  storage_bytes_used: v.number(),
  write_requests_delegated: v.literal(0),
  replication_index: v.literal(0),
  embedded_replica_frames_replicated: v.literal(0),
  query_count: v.number(),
  elapsed_ms: ms,
  top_queries: v.array(v.object({ ...rows, query: v.string() })),
  slowest_queries: v.array(v.object({ elapsed_ms: ms, query: v.string(), ...rows })),
  queries: v.nullable(
    v.object({
      id: v.string(),
      created_at: v.number(),
      count: v.number(),
      stats: v.array(v.object({ query: v.string(), elapsed_ms: ms, count: v.number(), ...rows })),
      elapsed: v.object({ sum: ms, p50: ms, p75: ms, p90: ms, p95: ms, p99: ms, p999: ms }),
    }),
  ),
});

/** The routes. Whoever mounts them has made sure of the caller's right. */
export function namespaceStatsRoutes(options: NamespaceStatsOptions): Hono<AdminEnv> {
  const { catalog, tenants, figures, forgetStatements } = options;
  const find = async (name: string): Promise<TenantRecord> => {
    const id = parseTenantId(name);
    return findTenant(catalog, id);
  };
  return new Hono<AdminEnv>()
    .get("/namespaces/:namespace/stats", async (c) => {
      const record = await find(c.req.param("namespace"));
      const [counted, storageBytes] = await Promise.all([
        figures?.(record.id),
        tenants.visit(record, (handle) => handle.sizeBytes()),
      ]);
      return c.json(statsOf(record, storageBytes, counted));
    })
    .delete("/namespaces/:namespace/stats/:list", async (c) => {
      const { id } = await find(c.req.param("namespace"));
      const list = c.req.param("list");
      if (list !== "top" && list !== "slowest") {
        throw new TenantryError(
          "INVALID_ARGUMENT",
          `There is no list ${JSON.stringify(list.slice(0, 40))}.`,
          {
            hint: "It is top or slowest; both are one here, and go together.",
          },
        );
      }
      await forgetStatements?.(id);
      return c.body(null, 200);
    });
}

function statsOf(
  { incarnation }: TenantRecord,
  storageBytes: number,
  figures: StatementFigures | undefined,
): v.InferOutput<typeof NAMESPACE_STATS> {
  const statements = figures?.statements ?? [];
  // A database is told from its former self by it, as sqld's by its own.
  const id = incarnation.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return {
    id,
    rows_read_count: figures?.rowsRead ?? 0,
    rows_written_count: figures?.rowsWritten ?? 0,
    storage_bytes_used: storageBytes,
    write_requests_delegated: 0,
    replication_index: 0,
    embedded_replica_frames_replicated: 0,
    query_count: figures?.count ?? 0,
    elapsed_ms: figures?.elapsedMs ?? 0,
    top_queries: most(statements, ({ rowsRead, rowsWritten }) => rowsRead + rowsWritten).map((one) => ({
      rows_written: one.rowsWritten,
      rows_read: one.rowsRead,
      query: one.sql,
    })),
    slowest_queries: most(statements, ({ longestMs }) => longestMs).map((one) => ({
      elapsed_ms: one.longestMs,
      query: one.sql,
      rows_written: one.rowsWritten,
      rows_read: one.rowsRead,
    })),
    queries: figures ? queriesOf(id, figures) : null,
  };
}

function queriesOf(id: string, figures: StatementFigures): v.InferOutput<typeof NAMESPACE_STATS>["queries"] {
  return {
    id,
    created_at: Math.floor(figures.since / 1000),
    count: figures.count,
    stats: figures.statements.map((one) => ({
      query: one.sql,
      elapsed_ms: one.elapsedMs,
      count: one.count,
      rows_written: one.rowsWritten,
      rows_read: one.rowsRead,
    })),
    elapsed: {
      sum: figures.elapsedMs,
      p50: percentileMs(figures, 0.5),
      p75: percentileMs(figures, 0.75),
      p90: percentileMs(figures, 0.9),
      p95: percentileMs(figures, 0.95),
      p99: percentileMs(figures, 0.99),
      p999: percentileMs(figures, 0.999),
    },
  };
}

function most(
  statements: readonly StatementFigure[],
  weight: (statement: StatementFigure) => number,
): StatementFigure[] {
  return statements.toSorted((a, b) => weight(b) - weight(a)).slice(0, LISTED);
}
