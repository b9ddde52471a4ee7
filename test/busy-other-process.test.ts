// Holds waiting for another process's lock to going on with everything else meanwhile, and to an end.
import { expect, test } from "vitest";
import { until } from "./support/counting-handles.ts";
import { OtherProcess } from "./support/other-process.ts";
import { addNote, notesOf, tempTenantry } from "./support/temp-folder.ts";

test("a write waits for another process without stopping the event loop, and readers go on", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "other"], busyTimeoutMs: 25_000 });
  const other = new OtherProcess(tenantry.driver.dir);
  await addNote(tenantry, "acme", "before");
  await other.do("lock", tenantry.driver.files.pathOf("acme"));

  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  let written = false;
  const write = addNote(tenantry, "acme", "run").then(() => (written = true));
  const batch = tenantry
    .database("acme")
    .batch([tenantry.database("acme").prepare("INSERT INTO notes (body) VALUES ('batch')")]);
  const transaction = tenantry
    .database("acme")
    .transaction("write", (tx) => tx.prepare("INSERT INTO notes (body) VALUES ('transaction')").run());
  await until(() => ticks >= 20);
  expect(await notesOf(tenantry, "acme")).toEqual(["before"]);
  await addNote(tenantry, "other", "goes on");
  expect(written).toBe(false);
  await other.do("unlock");
  await Promise.all([write, batch, transaction]);
  clearInterval(ticking);
  expect((await notesOf(tenantry, "acme")).toSorted()).toEqual(["batch", "before", "run", "transaction"]);
});

test("a write gives up after busyTimeoutMs, and the tenant works when the lock is gone", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"], busyTimeoutMs: 30 });
  const other = new OtherProcess(tenantry.driver.dir);
  await other.do("lock", tenantry.driver.files.pathOf("acme"));
  const busy = { code: "DATABASE_BUSY", tenant: "acme", retryAfterSeconds: 1 };
  const db = tenantry.database("acme");
  await expect(addNote(tenantry, "acme", "no")).rejects.toMatchObject(busy);
  await expect(db.exec("DELETE FROM notes")).rejects.toMatchObject(busy);
  await expect(db.transaction("write", async () => "no")).rejects.toMatchObject(busy);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
  await other.do("unlock");
  await addNote(tenantry, "acme", "yes");
  expect(await notesOf(tenantry, "acme")).toEqual(["yes"]);
});

test("a statement that was prepared before another process changed the schema gives the new columns", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const other = new OtherProcess(tenantry.driver.dir);
  const db = tenantry.database("acme");
  await addNote(tenantry, "acme", "a");
  const all = () => db.prepare("SELECT * FROM notes").all();
  const raw = () => db.prepare("SELECT * FROM notes").raw({ columnNames: true });
  expect((await all()).results).toEqual([{ id: 1, body: "a" }]);
  expect(await raw()).toEqual([
    ["id", "body"],
    [1, "a"],
  ]);
  await other.do("exec", tenantry.driver.files.pathOf("acme"), "ALTER TABLE notes ADD COLUMN done DEFAULT 0");
  expect((await all()).results).toEqual([{ id: 1, body: "a", done: 0 }]);
  expect(await raw()).toEqual([
    ["id", "body", "done"],
    [1, "a", 0],
  ]);
  await other.do("exec", tenantry.driver.files.pathOf("acme"), "ALTER TABLE notes RENAME TO gone");
  await expect(all()).rejects.toMatchObject({ code: "SQL_ERROR", tenant: "acme" });
});
