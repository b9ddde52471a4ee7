// Holds connections besides the shared ones to a bound over all databases, and prepared statements to theirs.
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { assertFits, handlesThatFit, RESERVED_DESCRIPTORS } from "../src/observe/descriptor-limit.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { createTenantry } from "../src/tenantry.ts";
import { turn } from "./support/counting-handles.ts";
import { insert, tempDatabase } from "./support/temp-database.ts";
import { tempFolder } from "./support/temp-folder.ts";

/** How many descriptors of this process lead into a folder. */
async function descriptorsIn(dir: string): Promise<number> {
  const names = await readdir("/proc/self/fd");
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
  return targets.filter((target) => target.startsWith(dir)).length;
}

async function databases(count: number, maxSessionsInAll: number) {
  const dir = await tempFolder();
  const driver = localDriver({ dir, maxSessionsInAll, busyTimeoutMs: 60_000 });
  const handles = await Promise.all(
    Array.from({ length: count }, (_, n) => driver.openFile(join(dir, `${n}.db`), { create: true })),
  );
  onTestFinished(async () => {
    for (const handle of handles) await handle.close();
  });
  return { dir, handles };
}

test("transactions of many databases share a bound, and those beyond it wait", async () => {
  const { handles } = await databases(12, 3);
  let open = 0;
  let most = 0;
  await Promise.all(
    handles.map((handle) =>
      handle.transaction("write", async () => {
        most = Math.max(most, ++open);
        for (let n = 0; n < 5; n++) await turn();
        open--;
      }),
    ),
  );
  expect(most).toBe(3);
});

test.skipIf(process.platform !== "linux")("spare connections of many databases do not pile up", async () => {
  const { dir, handles } = await databases(60, 48);
  const shared = await descriptorsIn(dir);
  expect(shared).toBeLessThanOrEqual(60 * 3);
  for (const handle of handles)
    await handle.transaction("read", async (tx) => tx.run({ sql: "SELECT 1", params: [] }));
  const spare = (await descriptorsIn(dir)) - shared;
  expect(spare).toBeGreaterThan(0);
  expect(spare).toBeLessThanOrEqual(16 * 3);
  for (const handle of handles) await handle.close();
  expect(await descriptorsIn(dir)).toBe(0);
});

test.skipIf(process.platform !== "linux")(
  "a handle holds no descriptor after its end, whatever was open",
  async () => {
    const handle = await tempDatabase();
    const dir = join(handle.path, "..");
    const session = await handle.session();
    await session.run({ sql: "BEGIN", params: [] });
    await session.run(insert("no"));
    await Promise.all([1, 2, 3].map(() => handle.transaction("read", async () => turn())));
    await handle.close();
    expect(await descriptorsIn(dir)).toBe(0);
    await session.close();
    await expect(session.run(insert("no"))).rejects.toMatchObject({ code: "CLOSED" });
  },
);

test("a session's batches and scripts are whole, within its transaction and without", async () => {
  const handle = await tempDatabase();
  const session = await handle.session();
  const failing = { sql: "INSERT INTO t (id) VALUES (1)", params: [] };
  await session.run(insert("a"));
  await expect(session.batch([insert("no"), failing])).rejects.toMatchObject({ code: "CONSTRAINT" });
  await expect(
    session.exec("INSERT INTO t (v) VALUES ('no'); INSERT INTO t (id) VALUES (1)"),
  ).rejects.toMatchObject({
    code: "CONSTRAINT",
  });
  await session.run({ sql: "BEGIN", params: [] });
  await session.batch([insert("b")]);
  await expect(session.batch([insert("no"), failing])).rejects.toMatchObject({ code: "CONSTRAINT" });
  expect(session.inTransaction).toBe(true);
  await session.run({ sql: "COMMIT", params: [] });
  await session.close();
  const { rows } = await handle.run({ sql: "SELECT v FROM t", params: [] });
  expect(rows).toEqual([{ v: "a" }, { v: "b" }]);
});

test("a session that is closed in a transaction leaves nothing of it", async () => {
  const handle = await tempDatabase();
  const session = await handle.session();
  await session.run({ sql: "BEGIN IMMEDIATE", params: [] });
  await session.run(insert("no"));
  await session.close();
  await session.close();
  await handle.run(insert("yes"));
  const { rows } = await handle.run({ sql: "SELECT v FROM t", params: [] });
  expect(rows).toEqual([{ v: "yes" }]);
});

test("thousands of different statements are prepared without being kept", async () => {
  const handle = await tempDatabase({ statementCacheEntries: 8 });
  for (let n = 0; n < 3000; n++) {
    await handle.run({ sql: `SELECT ${n} AS n, '${"x".repeat(100)}'`, params: [] });
  }
  const { rows } = await handle.run({ sql: "SELECT 7 AS n", params: [] });
  expect(rows).toEqual([{ n: 7 }]);
});

test("a maxOpen that the limit of open files cannot hold is refused, with the one that it can", async () => {
  expect(handlesThatFit(1024, 3)).toBe(256);
  expect(handlesThatFit(100, 3)).toBe(1);
  expect(() => assertFits(256, 1024, 3)).not.toThrow();
  expect(() => assertFits(257, 1024, 3)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", hint: expect.stringContaining("256 at most") }),
  );
  expect(() => assertFits(1_000_000, Number.POSITIVE_INFINITY, 3)).not.toThrow();
  const data = await tempFolder();
  await expect(createTenantry({ data, maxOpen: 1e9 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  expect(await readdir(data)).toEqual([]);
  expect(RESERVED_DESCRIPTORS).toBeGreaterThan(48 * 2 + 16 * 2);
});
