// Owns copying a whole database into an empty one, whichever drivers the two are of: the order, the mark by which a
// copy that was cut short is known, and the proof that it is the same. Opens and closes neither.
import type { Statement } from "../drivers/driver.ts";
import { isContent, type TableDigest, tableDigests } from "../database/table-digest.ts";
import { SCHEMA_TABLE } from "../database/table-shape.ts";
import { quotedName } from "../sql/quoted-name.ts";
import { TenantryError } from "../tenantry-error.ts";
import { assertFits, leftovers } from "./check-target.ts";
import type { CopySource, CopyTarget } from "./copy-end.ts";
import { CopyMark } from "./copy-mark.ts";
import { COPY_MARK, type CopyPlan, isCopied, planCopy, type PlannedTable } from "./copy-plan.ts";
import { countRows, rowPages } from "./copy-rows.ts";

/** How far a copy is. */
export interface CopyProgress {
  readonly phase: "copying" | "verifying";
  readonly table: string;
  /** Rows copied, or tables verified. */
  readonly done: number;
  readonly total: number;
}

/** Options of {@link copyDatabase}. */
export interface CopyOptions {
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** What {@link planFor} gave of this source and target. @default it is asked now */
  readonly plan?: CopyPlan;
}

/** What was copied, and found to be the same on both sides. */
export interface CopyReport {
  readonly rows: number;
  readonly tables: readonly TableDigest[];
}

/**
 * What is to be copied, where a target of that kind can hold it: for who makes the target only then.
 * @throws {TenantryError} `COPY_REFUSED`
 */
export async function planFor(
  { db }: CopySource,
  { limits, shadowTables }: Pick<CopyTarget, "limits" | "shadowTables">,
): Promise<CopyPlan> {
  const plan = await planCopy(db, shadowTables);
  await assertFits(db, plan, limits, shadowTables);
  return plan;
}

/**
 * Copies schema, rows, indexes, views, triggers and the journal, and compares both sides by a digest of each table.
 * Memory does not grow with the database. Killed at any point, the target has a table `_tenantry_copy`, and the next
 * copy begins anew; of two at once the one that came later goes on.
 *
 * @throws {TenantryError} `COPY_REFUSED` and `DATABASE_EXISTS`, before anything is written; `COPY_DIFFERS`
 */
export async function copyDatabase(
  source: CopySource,
  target: CopyTarget,
  { sha256, onProgress, plan: made }: CopyOptions,
): Promise<CopyReport> {
  const plan = made ?? (await planFor(source, target));
  const old = await leftovers(target.db);

  const mark = new CopyMark(target);
  await mark.take(old.length > 0);
  const held = { ...target, write: mark.write };
  await clear(held, old);
  const rows = await copyTables(source, held, plan, onProgress);
  await copySequences(source, held);

  const tables = await verify(source, target, plan, sha256, onProgress);
  await mark.drop();
  return { rows, tables };
}

/** The journal of migrations: the last that is copied. */
const JOURNAL = "d1_migrations";

async function clear(target: CopyTarget, old: readonly { type: string; name: string }[]): Promise<void> {
  const order = ["trigger", "view", "table"];
  const objects = old
    .filter(({ type, name }) => name !== COPY_MARK && order.includes(type))
    .toReversed()
    .toSorted((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
  for (const { type, name } of objects) {
    // A virtual table takes the tables of its content with it.
    await target.write([{ sql: `DROP ${type.toUpperCase()} IF EXISTS ${quotedName(name)}`, params: [] }]);
  }
}

async function copyTables(
  source: CopySource,
  target: CopyTarget,
  { tables, after }: CopyPlan,
  onProgress: CopyOptions["onProgress"],
): Promise<number> {
  let total = 0;
  for (const { name } of tables) total += await countRows(source.db, name);
  for (const table of tables) {
    // A virtual table has made its own.
    if (table.kind === "shadow")
      await target.write([{ sql: `DELETE FROM ${quotedName(table.name)}`, params: [] }]);
    else await target.write([{ sql: table.sql, params: [] }]);
  }
  let done = 0;
  const copyRows = async (table: PlannedTable): Promise<void> => {
    for await (const { rows, statements } of rowPages(source.db, table, target.maxStatementBytes)) {
      await target.write(statements).catch((error: unknown) => {
        throw aboutRows(table, error);
      });
      done += rows;
      onProgress?.({ phase: "copying", table: table.name, done, total });
    }
  };
  for (const table of tables) {
    if (table.kind === "virtual" && (target.shadowTables || isRebuilt(table))) continue;
    if (table.name !== JOURNAL) await copyRows(table);
  }
  for (const table of tables) {
    if (table.kind !== "virtual" || target.shadowTables || !isRebuilt(table)) continue;
    const name = quotedName(table.name);
    await target.write([{ sql: `INSERT INTO ${name} (${name}) VALUES ('rebuild')`, params: [] }]);
  }
  for (const { sql } of after) await target.write([{ sql, params: [] }]);
  // Who opens a half-made copy as a tenant finds that its migrations have not run, and that they cannot.
  for (const table of tables) if (table.name === JOURNAL) await copyRows(table);
  return done;
}

/** Where the next rowid of AUTOINCREMENT goes on: behind the rows that were, not only those that are. */
async function copySequences(source: CopySource, target: CopyTarget): Promise<void> {
  const there = { sql: "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'", params: [] };
  if ((await source.db.run(there)).rows.length === 0) return;
  const { rows } = await source.db.run(
    { sql: "SELECT name, CAST(seq AS TEXT) FROM sqlite_sequence", params: [] },
    { rows: "arrays" },
  );
  const sequences = (rows as [string, string][]).filter(([name]) => isCopied(name));
  const statements: Statement[] = sequences.map(([name, seq]) => ({
    sql: `INSERT INTO sqlite_sequence (name, seq) VALUES (?, ${seq})`,
    params: [name],
  }));
  const make: Statement[] =
    (await target.db.run(there)).rows.length > 0
      ? []
      : // SQLite makes it with the first such table, and leaves it when the last one goes.
        [
          { sql: `CREATE TABLE ${COPY_MARK}_sequence (id INTEGER PRIMARY KEY AUTOINCREMENT)`, params: [] },
          { sql: `DROP TABLE ${COPY_MARK}_sequence`, params: [] },
        ];
  await target.write([...make, { sql: "DELETE FROM sqlite_sequence", params: [] }, ...statements]);
}

/** An index over another table's rows. */
function isRebuilt({ module, sql }: PlannedTable): boolean {
  return module === "fts5" && /\bcontent\s*=/i.test(sql);
}

async function verify(
  source: CopySource,
  target: CopyTarget,
  { tables, shadows }: CopyPlan,
  sha256: CopyOptions["sha256"],
  onProgress: CopyOptions["onProgress"],
): Promise<TableDigest[]> {
  const includes = (table: string): boolean =>
    isContent(table) && (isCopied(table) || table === "sqlite_sequence") && !shadows.has(table);
  const total = tables.length;
  const digests = async (end: CopySource | CopyTarget): Promise<Map<string, TableDigest>> => {
    const found = new Map<string, TableDigest>();
    for await (const digest of tableDigests(end.db, { sha256, includes })) {
      found.set(digest.table, digest);
      if (end === target) onProgress?.({ phase: "verifying", table: digest.table, done: found.size, total });
    }
    return found;
  };
  const [theirs, ours] = await Promise.all([digests(source), digests(target)]);
  for (const [table, { rows, digest }] of theirs) {
    const copy = ours.get(table);
    if (copy?.digest === digest && copy.rows === rows) continue;
    throw differs(
      table === SCHEMA_TABLE ? "the schema" : `table ${quotedName(table)}`,
      `${rows} rows there, ${copy?.rows ?? "none"} here`,
      source,
    );
  }
  for (const table of tables) {
    if (table.kind !== "virtual" || shadows.size === 0) continue;
    const [there, here] = await Promise.all([
      countRows(source.db, table.name),
      countRows(target.db, table.name),
    ]);
    if (there !== here)
      throw differs(`table ${quotedName(table.name)}`, `${there} rows there, ${here} here`, source);
  }
  return [...theirs.values()];
}

function differs(what: string, how: string, { stable }: CopySource): TenantryError {
  return new TenantryError("COPY_DIFFERS", `The copy differs from its source in ${what}: ${how}.`, {
    hint: stable
      ? "Do not use the copy: run it again, which begins anew."
      : "The source was written to meanwhile: suspend whoever writes, and run it again.",
  });
}

function aboutRows(table: PlannedTable, error: unknown): unknown {
  if (!(error instanceof TenantryError) || !error.message.includes("FOREIGN KEY")) return error;
  return new TenantryError(
    "COPY_REFUSED",
    `The rows of table ${quotedName(table.name)} refer to rows that come later.`,
    {
      hint: "The target cannot put its foreign keys off for long enough: drop the reference, and add it again there.",
      cause: error,
    },
  );
}
