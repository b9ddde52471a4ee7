// Owns the proof, made by the compiler, that what is written for D1 takes a tenant's database.
// Nothing here runs.
import type {
  D1Database,
  D1DatabaseSession,
  D1ExecResult,
  D1PreparedStatement,
  D1Result,
} from "@cloudflare/workers-types";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { D1Dialect } from "kysely-d1";
import type {
  StatementResult,
  TenantDatabase,
  TenantDatabaseSession,
  TenantStatement,
} from "../src/database/tenant-database.ts";
import type { ExecResult } from "../src/drivers/driver.ts";

type AssignableTo<To, From extends To> = From;

export type Proof = [
  AssignableTo<D1Database, TenantDatabase>,
  AssignableTo<D1PreparedStatement, TenantStatement>,
  AssignableTo<D1DatabaseSession, TenantDatabaseSession>,
  AssignableTo<D1Result<{ id: number }>, StatementResult<{ id: number }>>,
  AssignableTo<D1ExecResult, ExecResult>,
];

interface Invoice {
  readonly id: number;
  readonly total: number;
}

/** What an application's code for D1 looks like. */
export async function writtenForD1(db: D1Database): Promise<number> {
  const one = await db.prepare("SELECT * FROM invoices WHERE id = ?").bind(1).first<Invoice>();
  const { results, meta } = await db.prepare("SELECT * FROM invoices").all<Invoice>();
  const [names, ...rows] = await db.prepare("SELECT 1 AS a").raw<[number]>({ columnNames: true });
  const [batched] = await db.batch<Invoice>([db.prepare("SELECT * FROM invoices")]);
  return (
    (one?.total ?? 0) +
    results.length +
    meta.changes +
    names.length +
    (rows[0]?.[0] ?? 0) +
    (batched?.results[0]?.total ?? 0)
  );
}

/** The same code, and what is built on D1, over a tenant's database, without a cast. */
export function overATenant(db: TenantDatabase): [Promise<number>, DrizzleD1Database, D1Dialect] {
  return [writtenForD1(db), drizzle(db), new D1Dialect({ database: db })];
}
