// Holds embedded replicas to what they are for: what the primary has is read here, what is written here is there,
// whoever else writes is seen soon, and a primary that is away, mute, or refuses a token costs writes and no reads.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { libsqlDriver } from "../src/drivers/libsql/libsql-driver.ts";
import type { LibsqlHandle } from "../src/drivers/libsql/libsql-handle.ts";
import type { LibsqlDriverOptions } from "../src/drivers/libsql/libsql-options.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { LibsqlPrimary } from "./support/libsql-primary.ts";
import { NO_SMALL_DISK, smallDisk } from "./support/small-disk.ts";
import { addNote, notesOf as notesOfTenant, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const NOTES = { sql: "SELECT body FROM notes ORDER BY id", params: [] };
const write = (handle: LibsqlHandle, body: string): Promise<unknown> =>
  handle.run({ sql: "INSERT INTO notes (body) VALUES (?)", params: [body] });
const notesOf = async (handle: LibsqlHandle): Promise<unknown[]> =>
  (await handle.run(NOTES)).rows.map((row) => (row as { body: string }).body);

/** Replicas of a primary, in a folder of their own. */
async function replicas(primary: LibsqlPrimary, options: Partial<LibsqlDriverOptions> = {}) {
  const dir = await tempFolder();
  const url = `file:${join(dir, "{tenant}.db")}`;
  const driver = libsqlDriver({ url, syncUrl: primary.url, maxRetries: 0, ...options });
  const open = async (name = "acme"): Promise<LibsqlHandle> => {
    const handle = await driver.open(name);
    onTestFinished(() => handle.close());
    return handle;
  };
  return { dir, driver, url, open };
}

test("what the primary has arrives when it is opened, and again when it is opened later", async () => {
  const primary = await LibsqlPrimary.start("acme");
  await primary.do("write", "acme", "INSERT INTO notes (body) VALUES ('before')");
  const { dir, open } = await replicas(primary);
  const first = await open();
  expect(await notesOf(first)).toEqual(["before"]);
  await first.close();
  await primary.do(
    "write",
    "acme",
    "INSERT INTO notes (body) VALUES ('meanwhile'); CREATE INDEX i ON notes (body)",
  );
  const second = await open();
  expect(await notesOf(second)).toEqual(["before", "meanwhile"]);
  expect((await second.run({ sql: "PRAGMA index_list(notes)", params: [] })).rows).toHaveLength(1);
  expect(await readdir(dir)).toContain("acme.db-info");
});

test("what is written goes to the primary, and is read here at once, in every way of writing", async () => {
  const primary = await LibsqlPrimary.start("acme");
  const { open } = await replicas(primary);
  const handle = await open();
  await write(handle, "one");
  expect(await notesOf(handle)).toEqual(["one"]);
  const returning = { sql: "INSERT INTO notes (body) VALUES ('two') RETURNING id", params: [] };
  expect(await handle.run(returning, { maxRows: 5 })).toMatchObject({
    rows: [{ id: 2 }],
    meta: { changes: 1, last_row_id: 2 },
  });
  await handle.batch([returning, NOTES]);
  await handle.exec("INSERT INTO notes (body) VALUES ('four'); UPDATE notes SET body = 'three' WHERE id = 3");
  await handle.transaction("write", async (tx) => {
    await tx.run({ sql: "INSERT INTO notes (body) VALUES ('five')", params: [] });
    expect((await tx.run(NOTES)).rows).toHaveLength(5);
    expect(await notesOf(handle)).toHaveLength(4);
  });
  const session = await handle.session();
  for (const sql of ["BEGIN IMMEDIATE", "INSERT INTO notes (body) VALUES ('six')", "COMMIT"]) {
    await session.run({ sql, params: [] });
  }
  const all = ["one", "two", "three", "four", "five", "six"];
  expect(await notesOf(handle)).toEqual(all);
  expect(await primary.do("notes", "acme")).toEqual(all);
  await expect(
    handle.transaction("write", async (tx) => {
      await tx.run({ sql: "DELETE FROM notes", params: [] });
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  await expect(write(handle, null as never)).rejects.toMatchObject({ code: "CONSTRAINT" });
  await expect(handle.exec("DELETE FROM d1_migrations")).rejects.toMatchObject({ code: "SQL_REFUSED" });
  expect(await notesOf(handle)).toEqual(all);
  await Promise.all(Array.from({ length: 8 }, (_, n) => write(handle, String(n))));
  expect(await notesOf(handle)).toHaveLength(14);
});

test("what somebody else writes arrives by itself after the interval", async () => {
  const primary = await LibsqlPrimary.start("acme");
  const { open } = await replicas(primary, { syncIntervalMs: 1000 });
  const handle = await open();
  for (const body of ["first", "second"]) {
    await primary.do("write", "acme", `INSERT INTO notes (body) VALUES ('${body}')`);
    await expect.poll(() => notesOf(handle), { timeout: 20_000 }).toContain(body);
  }
});

test("a primary that is away costs writes, which are refused whole, and no reads; when it is back all goes on", async () => {
  const primary = await LibsqlPrimary.start("acme");
  const { driver, open } = await replicas(primary, { syncIntervalMs: 1000 });
  const handle = await open();
  await write(handle, "before");
  await primary.do("away");
  const refused = { code: "DATABASE_UNREACHABLE", hint: expect.stringContaining("Nothing was changed") };
  for (const attempt of [
    () => write(handle, "no"),
    () => handle.exec("DELETE FROM notes"),
    () => handle.batch([{ sql: "DELETE FROM notes", params: [] }, NOTES]),
    () => handle.transaction("write", (tx) => tx.run({ sql: "DELETE FROM notes", params: [] })),
  ]) {
    await expect(attempt()).rejects.toMatchObject(refused);
    expect(await notesOf(handle)).toEqual(["before"]);
  }
  const [read] = await handle.batch([NOTES]);
  expect(read?.rows).toEqual([{ body: "before" }]);
  // A replica that was synchronised once can be opened, and another one cannot.
  expect(await notesOf(await open())).toEqual(["before"]);
  await expect(driver.open("globex")).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });

  await primary.do("write", "acme", "INSERT INTO notes (body) VALUES ('meanwhile')");
  await primary.back();
  await expect.poll(() => notesOf(handle), { timeout: 20_000 }).toEqual(["before", "meanwhile"]);
  await write(handle, "after");
  expect(await notesOf(handle)).toEqual(["before", "meanwhile", "after"]);
  expect(await primary.do("notes", "acme")).toEqual(["before", "meanwhile", "after"]);
});

test("a write that could not be brought here is read at the primary, until it can", async () => {
  const primary = await LibsqlPrimary.start("acme", "globex");
  const { open } = await replicas(primary, { requestTimeoutMs: 1000, syncTimeoutMs: 1500 });
  const [handle, other] = [await open(), await open("globex")];
  await primary.do("mute", "/acme/(?:info|sync)");
  await write(handle, "there");
  expect(await notesOf(handle)).toEqual(["there"]);
  // The process that waited for the one synchronises the other.
  await write(other, "other");
  expect(await notesOf(other)).toEqual(["other"]);
  await primary.do("mute", null);
  expect(await notesOf(handle)).toEqual(["there"]);
  await primary.do("away");
  expect(await notesOf(handle)).toEqual(["there"]);
});

test("the token is what the function gives; one that is refused is asked for again, also by synchronisation", async () => {
  const primary = await LibsqlPrimary.start("acme");
  await primary.do("take", "good");
  const asked: unknown[] = [];
  let token = "bad";
  const { open } = await replicas(primary, {
    syncIntervalMs: 1000,
    authToken: (name, { renew }) => {
      asked.push([name, renew]);
      return renew ? (token = "good") : token;
    },
  });
  const handle = await open();
  expect(asked).toEqual([
    ["acme", false],
    ["acme", true],
  ]);
  const [refused, ...rest] = await primary.do("tokens");
  expect(refused).toBe("bad");
  expect(new Set(rest)).toEqual(new Set(["good"]));
  await write(handle, "with a token");
  expect(await notesOf(handle)).toEqual(["with a token"]);

  await primary.do("take", "other");
  await expect(write(handle, "no")).rejects.toMatchObject({
    code: "DATABASE_REFUSED",
    message: 'The remote database of "acme" answered 401: it refuses our credentials.',
  });
  expect(await notesOf(handle)).toEqual(["with a token"]);
  await primary.do("take", "good");
  await primary.do("write", "acme", "INSERT INTO notes (body) VALUES ('more')");
  await expect.poll(() => notesOf(handle), { timeout: 20_000 }).toEqual(["with a token", "more"]);

  const { driver } = await replicas(primary, { authToken: "bad" });
  await expect(driver.open("acme")).rejects.toMatchObject({ code: "DATABASE_REFUSED" });
});

test("tenants' replicas do not mix, nor do two of one; a new generation is gone over to", async () => {
  const primary = await LibsqlPrimary.start("acme", "globex");
  const { open } = await replicas(primary);
  const [acme, again, globex] = [await open(), await open(), await open("globex")];
  for (let n = 0; n < 3; n++) {
    await Promise.all([write(acme, `a${n}`), write(globex, `g${n}`), write(again, `b${n}`)]);
    await primary.do("rotate", "acme");
    await write(again, `c${n}`);
  }
  await write(acme, "end");
  for (const handle of [acme, again]) {
    expect((await notesOf(handle)).toSorted()).toEqual(
      ["a0", "a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2", "end"].toSorted(),
    );
    expect((await handle.run({ sql: "SELECT * FROM pragma_quick_check", params: [] })).rows).toEqual([
      { quick_check: "ok" },
    ]);
  }
  expect(await notesOf(globex)).toEqual(["g0", "g1", "g2"]);
});

test("from a primary that synchronises by gRPC, as sqld does, it is the same", async () => {
  const primary = await LibsqlPrimary.start("acme");
  await primary.do("beOlder");
  await primary.do("write", "acme", "INSERT INTO notes (body) VALUES ('before')");
  const { dir, driver, open } = await replicas(primary, { syncIntervalMs: 1000 });
  await expect(driver.open("nobody")).rejects.toMatchObject({ code: "DATABASE_MISSING" });
  expect(await driver.exists("nobody")).toBe(false);
  expect(await readdir(dir)).toEqual([]);
  const handle = await open();
  expect(await notesOf(handle)).toEqual(["before"]);
  expect(await readdir(dir)).toContain("acme.db-client_wal_index");
  await write(handle, "here");
  expect(await notesOf(handle)).toEqual(["before", "here"]);
  await primary.do("write", "acme", "INSERT INTO notes (body) VALUES ('there')");
  await expect.poll(() => notesOf(handle), { timeout: 20_000 }).toEqual(["before", "here", "there"]);
  await primary.do("away");
  expect(await notesOf(await open())).toEqual(["before", "here", "there"]);
});

test("killed in the midst of the first synchronisation, with the process that does it, the next one is right", async () => {
  const primary = await LibsqlPrimary.start("acme");
  await primary.do("write", "acme", "INSERT INTO notes (body) VALUES ('whole')");
  await primary.do("mute", "/export/");
  const { dir, url, open } = await replicas(primary);
  const child = fork(new URL("./fixtures/libsql-replica.ts", import.meta.url), [url, primary.url]);
  await primary.until("half");
  const brokenOff = primary.until("broken off");
  child.kill("SIGKILL");
  await Promise.all([once(child, "exit"), brokenOff]);
  await primary.do("mute", null);
  const handle = await open();
  expect(await notesOf(handle)).toEqual(["whole"]);
  await handle.close();

  // As it is between the library's two files: it would refuse that for ever.
  await rm(join(dir, "acme.db-info"));
  expect(await notesOf(await open())).toEqual(["whole"]);
  expect((await readdir(dir)).filter((name) => name.endsWith(".orphan"))).toHaveLength(1);
});

test("a file that is no replica is moved aside as it is", async () => {
  const primary = await LibsqlPrimary.start("acme");
  const { dir, open } = await replicas(primary);
  await writeFile(join(dir, "acme.db"), "mine");
  expect(await notesOf(await open())).toEqual([]);
  expect((await readdir(dir)).filter((name) => name.endsWith(".orphan"))).toHaveLength(1);
});

test.skipIf(NO_SMALL_DISK)(
  "a full disk costs no write: it is read at the primary until there is room",
  async () => {
    const primary = await LibsqlPrimary.start("acme");
    const { dir, grow } = await smallDisk(200_000);
    const { driver, open } = await replicas(primary, { url: `file:${join(dir, "{tenant}.db")}` });
    const handle = await open();
    await primary.do("write", "acme", "INSERT INTO notes (body) VALUES (hex(zeroblob(1000000)))");
    await write(handle, "small");
    const ends = { sql: "SELECT substr(body, -5) AS end FROM notes ORDER BY id", params: [] };
    const both = [{ end: "00000" }, { end: "small" }];
    expect((await handle.run(ends)).rows).toEqual(both);
    await expect(driver.open("acme")).rejects.toMatchObject({ code: "DATABASE_FULL" });
    grow(20_000_000);
    expect((await handle.run(ends)).rows).toEqual(both);
    await primary.do("away");
    expect((await handle.run(ends)).rows).toEqual(both);
  },
);

test("a replica is removed with all its files, while it is synchronised too", async () => {
  const primary = await LibsqlPrimary.start("acme");
  const { dir, driver, open } = await replicas(primary);
  const handle = await open();
  const writing = Promise.allSettled(Array.from({ length: 5 }, (_, n) => write(handle, String(n))));
  await handle.close();
  await driver.remove("acme");
  await writing;
  expect(await readdir(dir)).toEqual([]);
});

test("replicas are tenants' databases: made, migrated, used, suspended and deleted", async () => {
  const primary = await LibsqlPrimary.start();
  await primary.do("bePlain", "acme");
  const { dir, driver } = await replicas(primary);
  const tenantry = await tempTenantry({ driver });
  const acme = parseTenantId("acme");
  expect(await tenantry.lifecycle.create(acme)).toMatchObject({ driver: "libsql", state: "active" });
  await addNote(tenantry, "acme", "by a replica");
  expect(await notesOfTenant(tenantry, "acme")).toEqual(["by a replica"]);
  await tenantry.lifecycle.suspend(acme);
  await tenantry.lifecycle.resume(acme);
  await primary.do("away");
  expect(await notesOfTenant(tenantry, "acme")).toEqual(["by a replica"]);
  await tenantry.lifecycle.delete(acme);
  expect(await readdir(dir)).toEqual([]);
});
