// Owns how a schema is read, shared, and noticed to be stale, also when another process changed it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { createSchemaCache } from "../src/database/schema-cache.ts";
import { describeSchema, readSchema, type Table } from "../src/database/schema.ts";
import type { SqlRunner } from "../src/drivers/driver.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { TenantryError } from "../src/tenantry-error.ts";
import { restApp } from "./rest-app.ts";

async function database(sql: string) {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-"));
  const handle = await localDriver({ dir }).openFile(join(dir, "a.db"), { create: true });
  onTestFinished(async () => {
    await handle.close();
    await rm(dir, { recursive: true });
  });
  await handle.exec(sql);
  return handle;
}

test("tables, columns, indexes and keys are read as they were declared", async () => {
  const handle = await database(`
    CREATE TABLE parents (a TEXT, b INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID;
    CREATE TABLE children (
      id INTEGER PRIMARY KEY, a TEXT NOT NULL DEFAULT 'x', b INT, price NVARCHAR(10),
      double_b INT GENERATED ALWAYS AS (b * 2) VIRTUAL, made TEXT AS (a || b) STORED,
      FOREIGN KEY (b, a) REFERENCES parents (b, a) ON DELETE CASCADE, UNIQUE (a, b)
    );
    CREATE TABLE strict_one (k ANY PRIMARY KEY, n INT NOT NULL) STRICT;
    CREATE TABLE no_alias (id INTEGER PRIMARY KEY DESC);
    CREATE UNIQUE INDEX children_lower ON children (lower(a)) WHERE b > 0;
    CREATE VIEW v AS SELECT id, b + 1 AS c FROM children;
    CREATE VIRTUAL TABLE "the ""words"" USING x" USING fts5(word);
    CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY);
  `);
  const { tables } = await readSchema(handle);
  expect([...tables.keys()]).toEqual(
    [
      "_litestream_seq",
      "children",
      "no_alias",
      "parents",
      "sqlite_schema",
      "strict_one",
      'the "words" USING x',
      "v",
    ].sort(),
  );
  const table = (name: string) => tables.get(name) as Table;
  expect(table("parents")).toMatchObject({ withoutRowid: true, primaryKey: ["b", "a"], kind: "table" });
  expect(table("parents").columns.map(({ nullable }) => nullable)).toEqual([false, false]);
  expect(table("children").columns).toMatchObject([
    { name: "id", affinity: "integer", nullable: false, primaryKey: 1 },
    { name: "a", affinity: "text", nullable: false, default: "'x'" },
    { name: "b", affinity: "integer", nullable: true },
    { name: "price", type: "NVARCHAR(10)", affinity: "text" },
    { name: "double_b", generated: "virtual" },
    { name: "made", generated: "stored" },
  ]);
  expect(table("children").indexes).toContainEqual({
    name: "children_lower",
    unique: true,
    columns: [null],
    partial: true,
  });
  expect(table("children").foreignKeys).toEqual([
    {
      columns: ["b", "a"],
      table: "parents",
      references: ["b", "a"],
      onUpdate: "NO ACTION",
      onDelete: "CASCADE",
    },
  ]);
  expect(table("strict_one").columns[0]).toMatchObject({ affinity: "none", nullable: false });
  expect(table("no_alias").columns[0]).toMatchObject({ nullable: true });
  expect(table("v")).toMatchObject({
    kind: "view",
    columns: [
      { name: "id", type: "INTEGER" },
      { name: "c", type: "" },
    ],
  });
  expect(table('the "words" USING x')).toMatchObject({ kind: "virtual", module: "fts5" });
  expect([...tables.values()].filter(({ internal }) => internal).map(({ name }) => name)).toEqual([
    "_litestream_seq",
    "sqlite_schema",
  ]);
  expect(JSON.parse(JSON.stringify(describeSchema({ tables })))).toHaveProperty("tables");
});

test("databases of one schema share it; another schema is another", async () => {
  const sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)";
  const [one, two, other] = await Promise.all([
    database(sql),
    database(sql),
    database(`${sql}; CREATE TABLE u (a)`),
  ]);
  const cache = createSchemaCache();
  const first = await cache.current("one", one);
  const second = await cache.current("two", two);
  expect(second.schema).toBe(first.schema);
  expect(second.id).toBe(first.id);
  expect((await cache.current("other", other)).id).not.toBe(first.id);
  expect(await cache.current("one", one)).toBe(first);
});

test("what another process changed is seen by the next request", async () => {
  const { client, path, get } = await restApp(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x')",
  );
  expect((await client.from("t").select()).data).toEqual([{ id: 1, a: "x" }]);
  const other = new Database(path);
  onTestFinished(() => {
    other.close();
  });
  other.exec("ALTER TABLE t ADD COLUMN b DEFAULT 5");
  expect((await client.from("t").select()).data).toEqual([{ id: 1, a: "x", b: 5 }]);
  other.exec("ALTER TABLE t RENAME COLUMN a TO c");
  expect((await client.from("t").select("c").eq("c", "x")).data).toEqual([{ c: "x" }]);
  expect((await client.from("t").select("a")).error).toMatchObject({ code: "COLUMN_NOT_FOUND" });
  other.exec("ALTER TABLE t ADD COLUMN d INTEGER");
  expect((await client.from("t").insert({ d: 7 }).select("id,d").single()).data).toEqual({ id: 2, d: 7 });
  other.exec("CREATE TABLE fresh (id INTEGER PRIMARY KEY)");
  expect((await client.from("fresh").select()).data).toEqual([]);
  other.exec("DROP TABLE fresh");
  expect((await client.from("fresh").select()).error).toMatchObject({ code: "TABLE_NOT_FOUND" });
  const described = (await (await get("/../schema")).json()) as { tables: { name: string }[] };
  expect(described.tables.map(({ name }) => name)).toContain("t");
});

test("where the database does not tell its schema's version, a stale schema is read again when it fails", async () => {
  const { client, handle } = await restApp("CREATE TABLE t (id INTEGER PRIMARY KEY, a)", {
    runner: (handle) => {
      const refuse = ({ sql }: { sql: string }): void => {
        if (/schema_version/.test(sql)) throw new TenantryError("SQL_ERROR", "not authorized");
      };
      const runner: SqlRunner = {
        run: async (statement, options) => {
          refuse(statement);
          return handle.run(statement, options);
        },
        batch: async (statements, options) => {
          for (const statement of statements) refuse(statement);
          return handle.batch(statements, options);
        },
        exec: (sql) => handle.exec(sql),
      };
      return runner;
    },
  });
  expect((await client.from("t").select()).data).toEqual([]);
  await handle.exec("ALTER TABLE t ADD COLUMN b");
  expect((await client.from("t").select("b")).error).toBeNull();
  await handle.exec("ALTER TABLE t DROP COLUMN a");
  expect((await client.from("t").select()).error).toBeNull();
});

test("many requests at once share what they need to know", async () => {
  const { client, handle } = await restApp(
    "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)",
  );
  const read = () =>
    Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        client
          .from("t")
          .select("id")
          .eq("id", (i % 2) + 1),
      ),
    );
  for (const { data } of await read()) expect(data).toHaveLength(1);
  await handle.exec("ALTER TABLE t ADD COLUMN a");
  for (const { data } of await read()) expect(data).toHaveLength(1);
});

test("options that make no sense are refused", () => {
  expect(() => createSchemaCache({ maxDatabases: 0 })).toThrow(TenantryError);
  expect(() => createSchemaCache({ maxAgeMs: -1 })).toThrow(TenantryError);
});
