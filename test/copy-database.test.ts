// Holds a copy to being the same database: by rows to libSQL and back, by pages into files, whatever is in it; and to
// beginning nothing that cannot be done, and beginning anew after it was cut short.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { copyDatabase } from "../src/copy/copy-database.ts";
import type { CopyTarget } from "../src/copy/copy-end.ts";
import { copyToFile, sha256 } from "../src/copy/file-end.ts";
import { libsqlTarget } from "../src/copy/libsql-end.ts";
import { tableDigests } from "../src/database/table-digest.ts";
import type { SqlRunner } from "../src/drivers/driver.ts";
import { libsqlDriver } from "../src/drivers/libsql/libsql-driver.ts";
import type { LibsqlHandle } from "../src/drivers/libsql/libsql-handle.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import type { LocalHandle } from "../src/drivers/local/local-handle.ts";
import { libsqlServer, type LibsqlServer } from "./support/libsql-server.ts";
import { makeOddDatabase } from "./support/odd-database.ts";
import { tempFolder } from "./support/temp-folder.ts";

async function opened(path: string): Promise<LocalHandle> {
  const handle = await localDriver({ dir: join(path, "..") }).openFile(path);
  onTestFinished(() => handle.close());
  return handle;
}

async function oddDatabase(rows?: number): Promise<{ dir: string; handle: LocalHandle }> {
  const dir = await tempFolder();
  makeOddDatabase(join(dir, "odd.db"), rows);
  return { dir, handle: await opened(join(dir, "odd.db")) };
}

async function remote(name = "acme"): Promise<{ server: LibsqlServer; handle: LibsqlHandle }> {
  const server = await libsqlServer();
  await server.create(name);
  const handle = await libsqlDriver({ url: server.url }).open(name);
  onTestFinished(() => handle.close());
  return { server, handle };
}

async function digestsOf(db: SqlRunner): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for await (const { table, digest } of tableDigests(db, { sha256 })) all[table] = digest;
  return all;
}

const rowsOf = async (db: SqlRunner, sql: string): Promise<unknown> =>
  (await db.run({ sql, params: [] }, { rows: "arrays" })).rows;

test("by rows to libSQL and from there into a file: each step is the same database", async () => {
  const { dir, handle: source } = await oddDatabase();
  const { server, handle } = await remote();
  const seen: string[] = [];
  const report = await copyDatabase({ db: source, stable: true }, libsqlTarget(handle), {
    sha256,
    onProgress: ({ phase, done, total }) => seen.push(`${phase} ${done <= total}`),
  });
  expect(report.tables.map(({ table }) => table)).toContain("d1_migrations");
  expect(new Set(seen)).toEqual(new Set(["copying true", "verifying true"]));
  const there = await server.handleOf("acme");
  expect(await rowsOf(there, "SELECT rowid FROM words WHERE words MATCH 'run'")).toEqual([[1]]);
  expect(await rowsOf(there, "SELECT rowid FROM notes_index WHERE notes_index MATCH 'lives'")).toEqual([[9]]);
  expect(await rowsOf(there, "SELECT id FROM places WHERE x0 > 1")).toEqual([[5]]);
  expect(await rowsOf(there, "SELECT * FROM noted ORDER BY 1")).toEqual(
    await rowsOf(source, "SELECT * FROM noted ORDER BY 1"),
  );
  await there.exec("INSERT INTO words (words) VALUES ('integrity-check')");
  await there.exec("INSERT INTO named VALUES ('by the view')");
  expect(await rowsOf(there, "SELECT max(id) FROM parent")).toEqual([[5]]);
  await there.exec("DELETE FROM parent WHERE name = 'by the view'");
  await there.exec("UPDATE sqlite_sequence SET seq = 4 WHERE name = 'parent'");
  await there.exec("DELETE FROM noted WHERE at = 'by the view'");

  await copyToFile({ db: handle, stable: false }, join(dir, "back.db"));
  const back = await opened(join(dir, "back.db"));
  const [was, is] = [await digestsOf(source), await digestsOf(back)];
  // The index of full text has been made anew, so its pages are others.
  const same = Object.keys(was).filter((table) => !/^(?:words|notes_index|places)_/.test(table));
  for (const table of same.filter((one) => one !== "sqlite_schema"))
    expect([table, is[table]]).toEqual([table, was[table]]);
  expect(Object.keys(is)).toEqual(Object.keys(was));
  expect(await rowsOf(back, "SELECT rowid FROM words WHERE words MATCH 'run'")).toEqual([[1]]);
  expect(await readdir(dir)).not.toContain("back.db.partial");
});

test("by pages into a file: it is of one moment, whoever writes meanwhile, and libSQL reads it", async () => {
  const { dir, handle } = await oddDatabase();
  const before = await digestsOf(handle);
  let wrote = false;
  await copyToFile({ db: handle, stable: true, handle }, join(dir, "copy.db"), () => {
    if (wrote) return;
    wrote = true;
    void handle.exec("DELETE FROM large");
  });
  expect(await rowsOf(handle, "SELECT count(*) FROM large")).toEqual([[0]]);
  const copy = await opened(join(dir, "copy.db"));
  expect(await digestsOf(copy)).toEqual(before);
  await copy.close();
  const libsql = await libsqlDriver({ url: "file:{tenant}" }).openUrl(`file:${join(dir, "copy.db")}`);
  onTestFinished(() => libsql.close());
  expect(await rowsOf(libsql, "SELECT count(*) FROM large")).toEqual([[300]]);
  await expect(copyToFile({ db: handle, stable: true, handle }, join(dir, "copy.db"))).rejects.toMatchObject({
    code: "DATABASE_EXISTS",
  });
});

test("a copy that was cut short is begun anew, and a database of somebody's is left alone", async () => {
  const { handle: source } = await oddDatabase();
  const { server, handle } = await remote();
  const end = libsqlTarget(handle);
  let writes = 0;
  const killed: CopyTarget = {
    ...end,
    write: (statements) => (++writes > 20 ? Promise.reject(new Error("killed")) : end.write(statements)),
  };
  await expect(copyDatabase({ db: source, stable: true }, killed, { sha256 })).rejects.toThrow("killed");
  const there = await server.handleOf("acme");
  expect(await rowsOf(there, "SELECT count(*) FROM sqlite_schema WHERE name = '_tenantry_copy'")).toEqual([
    [1],
  ]);
  // Half a copy is no source, as both halves would be the same.
  const half = copyToFile({ db: handle, stable: false }, join(await tempFolder(), "half.db"));
  await expect(half).rejects.toMatchObject({ code: "COPY_REFUSED", message: /cut short/ });
  await copyDatabase({ db: source, stable: true }, end, { sha256 });
  expect(
    await rowsOf(there, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_tenantry%' ESCAPE '\\'"),
  ).toEqual([[0]]);
  await expect(copyDatabase({ db: source, stable: true }, end, { sha256 })).rejects.toMatchObject({
    code: "DATABASE_EXISTS",
  });
  expect(await rowsOf(there, "SELECT count(*) FROM large")).toEqual([[300]]);
});

test("what the target cannot hold is refused before anything is written", async () => {
  const { handle: source } = await oddDatabase();
  const { server, handle } = await remote();
  for (const limits of [
    { maxDatabaseBytes: 4096 },
    { maxValueBytes: 1000, maxRowBytes: 1e9 },
    { maxValueBytes: 1e9, maxRowBytes: 100_000 },
    { maxColumns: 5 },
    { maxValueBytes: 1e9, maxRowBytes: 1e9, finite: true },
    { maxSqlBytes: 50 },
    { modules: new Set(["fts5"]) },
  ]) {
    const target = { ...libsqlTarget(handle), limits: { name: "It", ...limits } };
    await expect(copyDatabase({ db: source, stable: true }, target, { sha256 })).rejects.toMatchObject({
      code: "COPY_REFUSED",
    });
  }
  await source.exec("CREATE VIRTUAL TABLE contentless USING fts5(x, content = '')");
  await expect(
    copyDatabase({ db: source, stable: true }, libsqlTarget(handle), { sha256 }),
  ).rejects.toMatchObject({
    code: "COPY_REFUSED",
    message: expect.stringContaining('"contentless"'),
  });
  expect(await rowsOf(await server.handleOf("acme"), "SELECT * FROM sqlite_schema")).toEqual([]);
});

test("a source that is written to while it is read is found out", async () => {
  const { handle: source } = await oddDatabase();
  const { handle } = await remote();
  let wrote = false;
  const copy = copyDatabase({ db: source, stable: false }, libsqlTarget(handle), {
    sha256,
    onProgress: ({ table }) => {
      if (table !== "pairs" || wrote) return;
      wrote = true;
      void source.exec("UPDATE parent SET name = 'changed' WHERE id = 1; DELETE FROM pairs WHERE n = 1");
    },
  });
  await expect(copy).rejects.toMatchObject({
    code: "COPY_DIFFERS",
    hint: expect.stringContaining("suspend"),
  });
});

test("of two copies into one target at once, the one that came later goes on, and it is whole", async () => {
  const { handle: source } = await oddDatabase();
  const { server, handle } = await remote();
  const end = libsqlTarget(handle);
  let later: Promise<unknown> | undefined;
  let writes = 0;
  const earlier: CopyTarget = {
    ...end,
    async write(statements) {
      if (++writes === 20) {
        later = copyDatabase({ db: source, stable: true }, end, { sha256 });
        await later;
      }
      return end.write(statements);
    },
  };
  await expect(copyDatabase({ db: source, stable: true }, earlier, { sha256 })).rejects.toMatchObject({
    code: "COPY_REFUSED",
    message: expect.stringContaining("Another copy"),
  });
  await later;
  expect(await rowsOf(await server.handleOf("acme"), "SELECT count(*) FROM large")).toEqual([[300]]);
});

test("rows that are large are read and written a few at a time", async () => {
  const { handle: source } = await oddDatabase();
  await source.exec("CREATE TABLE heavy (b BLOB)");
  for (let n = 0; n < 40; n++) {
    await source.run({ sql: "INSERT INTO heavy VALUES (randomblob(900000))", params: [] });
  }
  const { handle } = await remote();
  const end = libsqlTarget(handle);
  let largest = 0;
  const measured: CopyTarget = {
    ...end,
    write: (statements) => {
      const bytes = statements.reduce((sum, { sql, params }) => sum + sql.length + params.join("").length, 0);
      largest = Math.max(largest, bytes);
      return end.write(statements);
    },
  };
  await copyDatabase({ db: source, stable: true }, measured, { sha256 });
  expect(largest).toBeLessThan(9_000_000);
});

test("memory does not grow with the database", async () => {
  const { handle: source } = await oddDatabase(12_000);
  const { handle } = await remote();
  let largest = 0;
  const end = libsqlTarget(handle);
  const measured: CopyTarget = {
    ...end,
    write: (statements) => {
      largest = Math.max(
        largest,
        statements.reduce((sum, { sql }) => sum + sql.length, 0),
      );
      return end.write(statements);
    },
  };
  await copyDatabase({ db: source, stable: true }, measured, { sha256 });
  expect(largest).toBeLessThan(4_000_000);
});
