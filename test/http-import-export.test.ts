// Owns databases that come in and go out as files: what is kept, what is refused, and what runs meanwhile.
// Clients that go away half-way are http-aborted.test.ts's.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { migrationSet } from "../src/migrations/migration-set.ts";
import {
  type Answer,
  expectError,
  runningServer,
  type RunningTestServer,
  SCHEMA,
} from "./support/running-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

/** What a file of somebody's product has in it: types, indexes, keys, a view, a trigger, full text. */
const PRODUCT = `
  CREATE TABLE artists (id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE);
  CREATE TABLE albums (
    id INTEGER PRIMARY KEY AUTOINCREMENT, artist_id INTEGER NOT NULL REFERENCES artists (id) ON DELETE CASCADE,
    title TEXT, price NUMERIC, cover BLOB, released DATE, score REAL, huge BIGINT,
    title_length INTEGER GENERATED ALWAYS AS (length(title)) STORED, CHECK (price >= 0));
  CREATE INDEX albums_by_artist ON albums (artist_id, title DESC) WHERE price > 0;
  CREATE TABLE tags (album_id INTEGER, tag TEXT, PRIMARY KEY (album_id, tag)) WITHOUT ROWID;
  CREATE TABLE strict_one (a INT, b TEXT, c ANY) STRICT;
  CREATE VIEW cheap AS SELECT title FROM albums WHERE price < 10;
  CREATE VIRTUAL TABLE albums_text USING fts5(title, content='albums', content_rowid='id');
  CREATE TRIGGER albums_ai AFTER INSERT ON albums BEGIN
    INSERT INTO albums_text (rowid, title) VALUES (new.id, new.title);
  END;
  INSERT INTO artists VALUES (1, 'Björk'), (2, 'AC/DC'), (3, '坂本龍一');
  INSERT INTO albums (artist_id, title, price, cover, released, score, huge) VALUES
    (1, 'Début', 9.99, x'00ff10', '1993-07-05', 0.1, 9223372036854775807),
    (2, 'Back in Black', 12, NULL, '1980-07-25', 1e300, -9223372036854775808),
    (3, '千のナイフ', 0, zeroblob(9000), NULL, -0.0, 9007199254740993);
  INSERT INTO tags VALUES (1, 'pop'), (1, 'électro'), (2, 'rock');
  INSERT INTO strict_one VALUES (1, 'x', x'01'), (NULL, NULL, 2.5);
  PRAGMA user_version = 42;
`;

/** A file with `sql` run in it, in the journal mode of that name. */
async function fileOf(sql: string, journalMode = "delete"): Promise<string> {
  const path = join(await tempFolder(), "source.db");
  const sqlite = new Database(path);
  sqlite.pragma(`journal_mode = ${journalMode}`);
  sqlite.exec(sql);
  sqlite.close();
  return path;
}

/** Everything in a file, table by table, the journal left out. */
function contentsOf(path: string): Record<string, unknown> {
  const sqlite = new Database(path, { readonly: true });
  try {
    sqlite.defaultSafeIntegers();
    const schema = sqlite
      .prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'd1_migrations' ORDER BY name",
      )
      .all() as { type: string; name: string; sql: string | null }[];
    const tables = schema.filter(({ type, sql }) => type === "table" && !sql?.includes("VIRTUAL"));
    const columns = (name: string): string =>
      sqlite
        .prepare("SELECT name FROM pragma_table_xinfo(?)")
        .pluck()
        .all(name)
        .map((column) => `"${column}", typeof("${column}")`)
        .join(", ");
    return {
      schema,
      integrity: sqlite.pragma("integrity_check"),
      foreignKeys: sqlite.pragma("foreign_key_check"),
      userVersion: sqlite.pragma("user_version"),
      ...Object.fromEntries(
        tables.map(({ name }) => [
          name,
          sqlite
            .prepare(`SELECT ${columns(name)} FROM "${name}" ORDER BY 1, 3`)
            .raw()
            .all(),
        ]),
      ),
    };
  } finally {
    sqlite.close();
  }
}

async function importBytes(
  server: RunningTestServer,
  id: string,
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  query = "",
): Promise<Answer> {
  const answer = await fetch(`${server.url}/admin/tenants/${id}/import${query}`, {
    method: "POST",
    headers: { "content-type": "application/vnd.sqlite3" },
    body,
    ...(body instanceof ReadableStream && { duplex: "half" as const }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, body: JSON.parse(text) };
}

async function exportTo(server: RunningTestServer, id: string): Promise<string> {
  const answer = await fetch(`${server.url}/admin/tenants/${id}/export`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/vnd.sqlite3");
  expect(answer.headers.get("content-disposition")).toBe(`attachment; filename="${id}.db"`);
  const bytes = await answer.bytes();
  expect(answer.headers.get("content-length")).toBe(String(bytes.length));
  const path = join(await tempFolder(), `${id}.db`);
  await writeFile(path, bytes);
  return path;
}

const noMigrations = async (): Promise<{ migrations: Awaited<ReturnType<typeof migrationSet>> }> => ({
  migrations: await migrationSet([]),
});

test.each(["delete", "wal"])(
  "a file in journal mode %s goes in and comes out with everything in it",
  async (mode) => {
    const server = await runningServer({ tenants: [], tenantry: await noMigrations() });
    const source = await fileOf(PRODUCT, mode);
    const imported = await importBytes(server, "acme", await readFile(source));
    expect(imported.status).toBe(201);
    expect(imported.headers.get("location")).toBe("/admin/tenants/acme");
    expect(imported.body).toMatchObject({ id: "acme", state: "active", sizeBytes: expect.any(Number) });
    expect(await server.scratchFiles()).toEqual([]);
    expect(contentsOf(await exportTo(server, "acme"))).toEqual(contentsOf(source));

    expect(
      (await server.query("acme", "SELECT title FROM albums_text WHERE albums_text MATCH 'black'")).body
        .results,
    ).toEqual([{ title: "Back in Black" }]);
    expect((await server.send("GET", "/t/acme/rest/cheap?order=title")).body).toEqual([
      { title: "Début" },
      { title: "千のナイフ" },
    ]);
    await server.query("acme", "INSERT INTO albums (artist_id, title, price) VALUES (1, 'Homogenic', 11)");
    await server.query("acme", "DELETE FROM artists WHERE id = 2");
    expect(
      (await server.query("acme", "INSERT INTO albums (artist_id, title) VALUES (99, 'x')")).body.code,
    ).toBe("CONSTRAINT");

    const expected = new Database(source);
    expected.pragma("foreign_keys = ON");
    expected.exec(
      "INSERT INTO albums (artist_id, title, price) VALUES (1, 'Homogenic', 11); DELETE FROM artists WHERE id = 2",
    );
    expected.close();
    expect(contentsOf(await exportTo(server, "acme"))).toEqual(contentsOf(source));
    await server.expectHealthy();
  },
);

test("an upload may come in chunks, without a length", async () => {
  const server = await runningServer({ tenants: [], tenantry: await noMigrations() });
  const bytes = await readFile(await fileOf(PRODUCT));
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, (at += 1_000)));
    },
  });
  expect((await importBytes(server, "acme", body)).status).toBe(201);
  await server.expectHealthy();
});

test("what is pending runs on an imported file; a baseline journals it instead", async () => {
  const migrations = await migrationSet([
    { name: "0001_init.sql", sql: SCHEMA },
    { name: "0002_phone.sql", sql: "ALTER TABLE customers ADD COLUMN phone TEXT" },
  ]);
  const server = await runningServer({ tenants: [], tenantry: { migrations } });
  const unrelated = await readFile(
    await fileOf("CREATE TABLE notes (body TEXT); INSERT INTO notes VALUES ('kept')"),
  );
  const atFirst = await readFile(await fileOf(`${SCHEMA} INSERT INTO customers (name) VALUES ('Ada')`));
  const states = async (id: string): Promise<string[]> =>
    (await server.send("GET", `/admin/tenants/${id}/migrations`)).body.migrations.map(
      ({ state }: { state: string }) => state,
    );

  expect((await importBytes(server, "fresh", unrelated)).body).toMatchObject({
    schemaVersion: "0002_phone.sql",
  });
  expect((await server.query("fresh", "SELECT body FROM notes")).body.results).toEqual([{ body: "kept" }]);
  expect(await states("fresh")).toEqual(["applied", "applied"]);

  expectError(await importBytes(server, "acme", atFirst), "MIGRATION_FAILED", /0001_init/);
  expectError(await importBytes(server, "acme", atFirst, "?baseline=0009_none.sql"), "INVALID_ARGUMENT");
  expect((await importBytes(server, "acme", atFirst, "?baseline=0001_init.sql")).status).toBe(201);
  expect((await server.query("acme", "SELECT name, phone FROM customers")).body.results).toEqual([
    { name: "Ada", phone: null },
  ]);
  expect(await states("acme")).toEqual(["applied", "applied"]);

  const whole = await readFile(await exportTo(server, "acme"));
  expect((await importBytes(server, "again", whole)).status).toBe(201);
  expect((await importBytes(server, "all", await readFile(await fileOf(SCHEMA)), "?baseline")).status).toBe(
    201,
  );
  expect(await states("all")).toEqual(["applied", "applied"]);
  expect(await server.scratchFiles()).toEqual([]);
});

test("what is no whole database is 422, and no tenant comes of it", async () => {
  const server = await runningServer({
    tenants: [],
    tenantry: await noMigrations(),
    app: { maxImportBytes: 200_000 },
  });
  const whole = await readFile(await fileOf(PRODUCT));
  const scrambled = Buffer.from(whole);
  scrambled.fill(0xa5, 4096 * 2 + 100, 4096 * 4);
  const bad: [string, Uint8Array<ArrayBuffer>][] = [
    ["empty", Buffer.alloc(0)],
    ["text", Buffer.from("hello, I am not a database, whatever you may think of me")],
    ["one byte", Buffer.from("S")],
    ["the magic alone", Buffer.from("SQLite format 3\0")],
    ["a header alone", whole.subarray(0, 100)],
    ["cut off", whole.subarray(0, 4096 * 3)],
    ["cut off within a page", whole.subarray(0, whole.length - 100)],
    ["a header with rubbish", Buffer.concat([whole.subarray(0, 16), Buffer.alloc(8192, 0x5a)])],
    ["encrypted", crypto.getRandomValues(Buffer.alloc(16_384))],
    ["gzip", Buffer.concat([Buffer.from([0x1f, 0x8b]), whole])],
    ["overwritten pages", scrambled],
  ];
  for (const [what, bytes] of bad) {
    const answer = await importBytes(server, "acme", bytes);
    expect(answer.body, what).toMatchObject({ code: "IMPORT_INVALID" });
    expectError(answer, "IMPORT_INVALID");
  }
  expectError(await importBytes(server, "acme", Buffer.alloc(200_001)), "BODY_TOO_LARGE", "200000");
  const chunks = Array.from({ length: 100 }, () => Buffer.alloc(10_000));
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const chunk = chunks.pop();
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
  });
  expectError(await importBytes(server, "acme", stream), "BODY_TOO_LARGE");
  expectError(await importBytes(server, "..%2facme", whole), "INVALID_TENANT_ID");
  expectError(await server.send("GET", "/admin/tenants/acme"), "TENANT_NOT_FOUND");
  expect(await server.scratchFiles()).toEqual([]);
  expect((await importBytes(server, "acme", whole)).status).toBe(201);
  await server.expectHealthy();
});

test("an import replaces nobody, and of several at once one wins", async () => {
  const server = await runningServer({ tenants: ["acme"], tenantry: await noMigrations() });
  const bytes = await readFile(await fileOf("CREATE TABLE notes (body TEXT)"));
  await server.query("acme", "CREATE TABLE mine (x)");
  expectError(await importBytes(server, "acme", bytes), "TENANT_EXISTS");
  expect((await server.query("acme", "SELECT * FROM mine")).status).toBe(200);

  const race = await Promise.all(Array.from({ length: 5 }, () => importBytes(server, "race", bytes)));
  expect(race.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409]);
  await vi.waitFor(async () => expect(await server.scratchFiles()).toEqual([]));
  await server.expectHealthy("race");
  await server.expectHealthy("acme");
});

test("an export taken while others write is one moment's, whole", async () => {
  const server = await runningServer({ tenants: ["acme"], tenantry: await noMigrations() });
  await server.query("acme", "CREATE TABLE pairs (a INTEGER, b INTEGER, filler BLOB)");
  const write = (n: number): Promise<Answer> =>
    server.send("POST", "/t/acme/batch", [
      { sql: "INSERT INTO pairs VALUES (?, 0, randomblob(20000))", params: [n] },
      { sql: "UPDATE pairs SET b = a WHERE a = ?", params: [n] },
    ]);
  for (let n = 0; n < 100; n++) await write(n);
  const done = new AbortController();
  const writer = (async () => {
    for (let n = 100; !done.signal.aborted; n++) expect((await write(n)).status).toBe(200);
  })();
  const paths = [await exportTo(server, "acme"), await exportTo(server, "acme")];
  done.abort();
  await writer;
  for (const path of paths) {
    const copy = new Database(path, { readonly: true });
    expect(copy.pragma("integrity_check", { simple: true })).toBe("ok");
    expect(copy.prepare("SELECT count(*) FROM pairs WHERE a <> b").pluck().get()).toBe(0);
    expect(copy.prepare("SELECT count(*) FROM pairs").pluck().get()).toBeGreaterThanOrEqual(100);
    copy.close();
  }
  await server.expectHealthy();
});

test("a suspended tenant can be taken away; one that is not there cannot", async () => {
  const server = await runningServer({ tenants: ["acme"] });
  await server.query("acme", "INSERT INTO customers (name) VALUES ('Ada')");
  await server.send("POST", "/admin/tenants/acme/suspend");
  expect(contentsOf(await exportTo(server, "acme"))["customers"]).toHaveLength(1);
  expectError(await server.send("GET", "/admin/tenants/nobody/export"), "TENANT_NOT_FOUND");
});
