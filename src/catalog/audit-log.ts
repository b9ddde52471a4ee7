// Owns the record of administrative acts: who did what to which tenant, and when. It only grows.
// Does not decide what is worth recording.
import type { SqlRunner, Statement } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { decodeCursor, encodeCursor, type PageRequest, pageLimit, toPage } from "./page-cursor.ts";

/** Who acts when the caller names nobody. */
export const SYSTEM_ACTOR = "system";

/** An act to be recorded. */
export interface AuditAct {
  /** Who: a key's id, a token's subject, or {@link SYSTEM_ACTOR}. */
  readonly actor: string;
  /** What, as `noun.verb`: `tenant.create`. */
  readonly action: string;
  /** @default null, the whole installation */
  readonly tenant?: TenantId | null;
  /** Anything that JSON can hold. No secrets. @default {} */
  readonly detail?: unknown;
}

/** A recorded act. */
export interface AuditEntry {
  readonly id: number;
  /** Milliseconds since 1970, UTC. */
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly tenant: TenantId | null;
  readonly detail: unknown;
}

/** Which acts to list. */
export interface AuditQuery extends PageRequest {
  /** Only acts on this tenant, of all its incarnations. */
  readonly tenant?: TenantId | undefined;
}

/** Acts, newest first. */
export interface AuditPage {
  readonly entries: AuditEntry[];
  readonly cursor: string | null;
}

const INSERT = "INSERT INTO audit_log (at, actor, action, tenant, detail)";

/** The statement that records `act`. */
export function auditStatement(act: AuditAct, at: number): Statement {
  return { sql: `${INSERT} VALUES (?, ?, ?, ?, ?)`, params: auditParams(act, at) };
}

/** The statement that records `act` if the statement before it in the batch has changed a row. */
export function auditIfChanged(act: AuditAct, at: number): Statement {
  return { sql: `${INSERT} SELECT ?, ?, ?, ?, ? WHERE changes() > 0`, params: auditParams(act, at) };
}

/** A page of the log. @throws {TenantryError} `INVALID_ARGUMENT` */
export async function listAudit(
  db: SqlRunner,
  { tenant, limit, cursor }: AuditQuery = {},
): Promise<AuditPage> {
  const size = pageLimit(limit);
  const before = decodeCursor("audit", cursor, (key) => /^[1-9][0-9]{0,15}$/.test(key));
  const id = before === undefined ? Number.MAX_SAFE_INTEGER : Number(before);
  const { rows } = await db.run({
    sql: `SELECT id, at, actor, action, tenant, detail FROM audit_log
          WHERE ${tenant === undefined ? "" : "tenant = ? AND "}id < ? ORDER BY id DESC LIMIT ?`,
    params: [...(tenant === undefined ? [] : [tenant]), id, size + 1],
  });
  const page = toPage(rows as AuditRow[], size, (last) => encodeCursor("audit", String(last.id)));
  return {
    entries: page.entries.map((row) => ({ ...row, detail: JSON.parse(row.detail) as unknown })),
    cursor: page.cursor,
  };
}

type AuditRow = Omit<AuditEntry, "detail"> & { readonly detail: string };

function auditParams({ actor, action, tenant = null, detail = {} }: AuditAct, at: number): unknown[] {
  return [at, actor, action, tenant, JSON.stringify(detail)];
}
