// Owns that what is remembered of a database holds for just the bytes of which it was noted, and that a connection is
// set up in full however little it is told.
import { copyFile, rename, stat, utimes } from "node:fs/promises";
import Database from "better-sqlite3";
import { expect, onTestFinished, test, vi } from "vitest";
import type { LocalDriver } from "../src/drivers/local/local-driver.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import type { LocalHandle } from "../src/drivers/local/local-handle.ts";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { createTenantry } from "../src/tenantry.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { NOTES } from "./support/notes-schema.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

/** A file that was written a moment ago may be written again with the same time: a note waits until it is older. */
const SETTLED = { timeout: 15_000, interval: 100 };

async function remembered(): Promise<{ driver: LocalDriver; path: string }> {
  const dir = await tempFolder();
  const tenantry = await createTenantry({ data: dir, migrations: await migrationSet([NOTES]) });
  await tenantry.lifecycle.create(parseTenantId("acme"));
  await addNote(tenantry, "acme", "first");
  const path = tenantry.driver.files.pathOf("acme");
  await tenantry.close();
  const driver = localDriver({ dir });
  await vi.waitFor(async () => {
    await using(driver, (handle) => {
      handle.note = "noted";
    });
    expect(await noteOf(driver)).toBe("noted");
  }, SETTLED);
  return { driver, path };
}

async function using(driver: LocalDriver, use: (handle: LocalHandle) => unknown): Promise<void> {
  const handle = await driver.open("acme");
  try {
    await use(handle);
  } finally {
    await handle.close();
  }
}

async function noteOf(driver: LocalDriver): Promise<string | undefined> {
  let note: string | undefined;
  await using(driver, (handle) => {
    note = handle.note;
  });
  return note;
}

const INSERT = "INSERT INTO notes (body) VALUES ('more')";

test("what was noted of a database is there when it is opened again, and again", async () => {
  const { driver } = await remembered();
  await using(driver, (handle) => handle.run({ sql: "SELECT * FROM notes", params: [] }));
  expect(await noteOf(driver)).toBe("noted");
  expect(await noteOf(driver)).toBe("noted");
});

test.for([
  ["a write", ({ driver }) => using(driver, (handle) => handle.run({ sql: INSERT, params: [] }))],
  [
    "a write of another program",
    ({ path }) => {
      const other = new Database(path);
      other.exec(INSERT);
      other.close();
    },
  ],
  [
    "a write that is still in another program's log",
    ({ path }) => {
      const other = new Database(path);
      onTestFinished(() => void other.close());
      other.exec(INSERT);
    },
  ],
  [
    "another file in its place",
    async ({ path }) => {
      await copyFile(path, `${path}.copy`);
      await rename(`${path}.copy`, path);
    },
  ],
  [
    "the same bytes over it, with their old times",
    async ({ path }) => {
      const { atime, mtime } = await stat(path);
      await copyFile(path, `${path}.copy`);
      await copyFile(`${path}.copy`, path);
      await utimes(path, atime, mtime);
    },
  ],
] as const satisfies readonly (readonly [
  string,
  (about: { driver: LocalDriver; path: string }) => unknown,
])[])("after %s nothing is known", async ([, change]) => {
  const about = await remembered();
  await change(about);
  expect(await noteOf(about.driver)).toBeUndefined();
});

test("a note is of the bytes that were opened: what was written since has none", async () => {
  const { driver } = await remembered();
  await using(driver, async (handle) => {
    await handle.run({ sql: INSERT, params: [] });
    handle.note = "late";
  });
  expect(await noteOf(driver)).toBeUndefined();
});

test("of a database that was busy when it was to be opened nothing is known, nor that it has a log", async () => {
  const { driver, path } = await remembered();
  const other = new Database(path);
  other.pragma("locking_mode = EXCLUSIVE");
  other.exec("BEGIN IMMEDIATE; ROLLBACK");
  // What it sees now is as it was; the lock it meets at once, and has to wait for.
  const opening = driver.open("acme");
  other.pragma("journal_mode = DELETE");
  other.exec(INSERT);
  other.close();
  const handle = await opening;
  expect(handle.note).toBeUndefined();
  expect(await handle.withSqlite((sqlite) => sqlite.pragma("journal_mode", { simple: true }))).toBe("wal");
  handle.note = "late";
  await handle.close();
  expect(await noteOf(driver)).toBeUndefined();
});

test("a tenant whose journal somebody has cut is brought up again at its next open", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "globex"], maxOpen: 1 });
  const path = tenantry.driver.files.pathOf("acme");
  const more = await migrationSet([NOTES, { name: "0002_more.sql", sql: "CREATE TABLE more (id INTEGER)" }]);
  const later = await tempTenantry({ data: tenantry.driver.dir, migrations: more, maxOpen: 1 });
  const tables = (): string[] => {
    const sqlite = new Database(path, { readonly: true });
    const names = sqlite.prepare("SELECT name FROM sqlite_master WHERE name = 'more'").pluck().all();
    sqlite.close();
    return names as string[];
  };
  await notesOf(later, "acme");
  expect(tables()).toEqual(["more"]);
  // Open and closed often enough to be remembered.
  await vi.waitFor(async () => {
    await notesOf(later, "globex");
    await notesOf(later, "acme");
    const { ctimeMs } = await stat(path);
    expect(Date.now() - ctimeMs).toBeGreaterThan(2_500);
  }, SETTLED);
  await notesOf(later, "globex");
  const other = new Database(path);
  other.exec("DROP TABLE more; DELETE FROM d1_migrations WHERE name = '0002_more.sql'");
  other.close();
  await notesOf(later, "acme");
  expect(tables()).toEqual(["more"]);
});

test("a connection is set the same, whatever is known of its database", async () => {
  const { driver, path } = await remembered();
  const settings = {
    journal_mode: "wal",
    synchronous: 1,
    foreign_keys: 1,
    trusted_schema: 0,
    cell_size_check: 1,
    wal_autocheckpoint: 1_000,
    journal_size_limit: 4 * 1024 * 1024,
    cache_size: -512,
    query_only: 0,
  };
  const found = (handle: LocalHandle): Promise<object> =>
    handle.withSqlite((sqlite) =>
      Object.fromEntries(Object.keys(settings).map((name) => [name, sqlite.pragma(name, { simple: true })])),
    );
  await using(driver, async (handle) => {
    expect(handle.note).toBe("noted");
    expect(await found(handle)).toEqual(settings);
  });
  await using(localDriver({ dir: driver.dir }), async (handle) =>
    expect(await found(handle)).toEqual(settings),
  );
  const other = new Database(path);
  other.pragma("journal_mode = DELETE");
  other.close();
  await using(driver, async (handle) => expect(await found(handle)).toEqual(settings));
  const full = localDriver({
    dir: driver.dir,
    durability: "full",
    cacheBytes: 1_048_576,
    checkpointPages: 16,
  });
  await using(full, async (handle) => {
    const others = { synchronous: 2, cache_size: -1024, wal_autocheckpoint: 16 };
    expect(await found(handle)).toEqual({ ...settings, ...others });
  });
});
