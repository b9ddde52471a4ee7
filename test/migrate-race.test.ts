import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { migrateDatabase } from "../src/migrations/index.ts";
import { readMigrations } from "../src/migrations/read-migrations.ts";
import { folderOf, openDatabase, rowsOf, valueOf } from "./migration-folder.ts";

const PROGRAM = join(import.meta.dirname, "fixtures", "migrations-process", "migrate.ts");

/** A process that has opened the database and waits for a message to migrate it. */
async function migrator(file: string, folder: string): Promise<ChildProcess> {
  const child = fork(PROGRAM, [file, folder]);
  onTestFinished(() => void child.kill("SIGKILL"));
  expect(await answerOf(child)).toBe("ready");
  return child;
}

/** What a process says next; it fails when the process ends without a word. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`It ended with ${code}.`)));
  const [answer] = await Promise.race([once(child, "message"), ended]);
  return answer;
}

it("applies each file once when processes race", async () => {
  const names = Array.from({ length: 8 }, (_, index) => `000${index + 1}_step.sql`);
  const folder = await folderOf(
    Object.fromEntries(
      names.map((name, index) => [
        name,
        `CREATE TABLE t${index} (id INTEGER PRIMARY KEY); INSERT INTO ran (name) VALUES ('${name}');`,
      ]),
    ),
  );
  const handle = await openDatabase();
  await handle.exec("CREATE TABLE ran (name TEXT)");

  const children = await Promise.all([1, 2, 3].map(() => migrator(handle.path, folder)));
  const answers = children.map(answerOf);
  for (const child of children) child.send("go");
  const applied = (await Promise.all(answers)).flatMap((list) => list as string[]);

  expect(applied.toSorted()).toEqual(names);
  expect((await rowsOf(handle, "SELECT name FROM ran ORDER BY rowid")).map(({ name }) => name)).toEqual(
    names,
  );
  expect(await valueOf(handle, "SELECT count(*) FROM d1_migrations")).toBe(names.length);
});

it("applies a file once when calls race in one process", async () => {
  const folder = await folderOf({ "0001_a.sql": "CREATE TABLE a (b)", "0002_b.sql": "CREATE TABLE b (b)" });
  const set = await readMigrations(folder);
  const handle = await openDatabase();
  const results = await Promise.all([1, 2, 3].map(() => migrateDatabase(handle, set)));
  expect(results.flatMap(({ applied }) => applied).toSorted()).toEqual(["0001_a.sql", "0002_b.sql"]);
});

it("begins a file anew when its process was killed in the middle of it", async () => {
  const folder = await folderOf({
    "0001_before.sql": "CREATE TABLE before (id INTEGER PRIMARY KEY)",
    "0002_long.sql": `CREATE TABLE numbers (n INTEGER, filler TEXT);
      INSERT INTO numbers
        WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter)
        SELECT n, printf('%.500c', 'x') FROM counter LIMIT (SELECT wanted FROM size);`,
    "0003_after.sql": "CREATE TABLE after (id INTEGER PRIMARY KEY)",
  });
  const handle = await openDatabase();
  await handle.exec("CREATE TABLE size (wanted INTEGER); INSERT INTO size VALUES (100000000)");

  const child = await migrator(handle.path, folder);
  child.send("go");
  // Only a transaction that has outgrown its page cache writes this much before its end.
  await vi.waitFor(async () => expect((await stat(`${handle.path}-wal`)).size).toBeGreaterThan(4_000_000), {
    timeout: 20_000,
  });
  child.kill("SIGKILL");
  await once(child, "exit");

  expect(await rowsOf(handle, "SELECT name FROM d1_migrations")).toEqual([{ name: "0001_before.sql" }]);
  expect(await valueOf(handle, "SELECT count(*) FROM sqlite_schema WHERE name = 'numbers'")).toBe(0);
  await handle.exec("UPDATE size SET wanted = 10");
  const { applied } = await migrateDatabase(handle, await readMigrations(folder));
  expect(applied).toEqual(["0002_long.sql", "0003_after.sql"]);
  expect(await valueOf(handle, "SELECT count(*) FROM numbers")).toBe(10);
  expect(await valueOf(handle, "PRAGMA integrity_check")).toBe("ok");
});
