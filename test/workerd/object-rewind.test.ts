// Holds going back in time in an object to its rules: what is refused leaves all as it was, who had it open meets what
// it is now, of two at once nothing is half-done, and each way back can itself be undone.
import { env, reset, runInDurableObject } from "cloudflare:test";
import { beforeEach, expect, test } from "vitest";
import { durableObjectDriver, objectDatabase } from "../../src/driver-durable-object.ts";
import { parseTenantId } from "../../src/tenant-id.ts";
import { bookmarkOf, rewind } from "../../src/tenants/rewind.ts";
import { createWorkerTenantry, migrationSet, type WorkerTenantry } from "../../src/worker.ts";

const acme = parseTenantId("acme");
const NOTES = {
  name: "0001_notes.sql",
  sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
};

async function isolate(...migrations: { name: string; sql: string }[]): Promise<WorkerTenantry> {
  return createWorkerTenantry({
    driver: durableObjectDriver({ namespace: env.PAST }),
    catalog: objectDatabase({ namespace: env.TENANTS }),
    migrations: await migrationSet([NOTES, ...migrations]),
    cacheMs: 60_000,
  });
}

const bodies = async (of: WorkerTenantry): Promise<unknown[]> =>
  (await of.database("acme").prepare("SELECT body FROM notes ORDER BY id").raw()).flat();
const add = (of: WorkerTenantry, body: string): Promise<unknown> =>
  of.database("acme").prepare("INSERT INTO notes (body) VALUES (?)").bind(body).run();
const stateOf = async (of: WorkerTenantry): Promise<unknown> =>
  (await of.catalog.get(acme, { fresh: true }))?.state;

beforeEach(() => reset());

test("another isolate that had it open reads and writes what it is now", async () => {
  const [one, two] = [await isolate(), await isolate()];
  await one.lifecycle.create(acme);
  await add(one, "kept");
  const bookmark = await bookmarkOf(one.tenants, acme);
  await add(two, "later");
  await rewind(one, acme, { bookmark });
  expect(await bodies(two)).toEqual(["kept"]);
  await add(two, "after");
  expect(await bodies(one)).toEqual(["kept", "after"]);
});

test("nothing from before the tenant was made can be had, and neither can the moment of it", async () => {
  const tenantry = await isolate();
  await tenantry.lifecycle.create(acme);
  await add(tenantry, "another's");
  const former = await bookmarkOf(tenantry.tenants, acme);
  await tenantry.lifecycle.delete(acme);
  await tenantry.lifecycle.create(acme);
  await add(tenantry, "own");
  const stub = env.PAST.get(env.PAST.idFromName("acme")) as never;
  const { since } = (await runInDurableObject(stub, (_, { storage }) => storage.kv.get("tenantry"))) as {
    since: string;
  };
  for (const bookmark of [former, since]) {
    await expect(rewind(tenantry, acme, { bookmark })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "The bookmark is from before this tenant was created.",
    });
  }
  await expect(rewind(tenantry, acme, { bookmark: "ffffffff" })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("no such moment"),
  });
  await expect(rewind(tenantry, acme, { at: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect([await stateOf(tenantry), await bodies(tenantry)]).toEqual(["active", ["own"]]);
});

test("what is older than the migrations is migrated; where that fails it stays suspended, and can be undone", async () => {
  const before = await isolate();
  await before.lifecycle.create(acme);
  await add(before, "kept");
  const bookmark = await bookmarkOf(before.tenants, acme);
  const tags = { name: "0002_tags.sql", sql: "ALTER TABLE notes ADD COLUMN tag TEXT DEFAULT 'none'" };
  const after = await isolate(tags);
  await add(after, "later");
  await rewind(after, acme, { bookmark });
  expect(await after.database("acme").prepare("SELECT body, tag FROM notes").raw()).toEqual([
    ["kept", "none"],
  ]);

  await after
    .database("acme")
    .exec("DROP TABLE notes; CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)");
  await add(after, "otherwise");
  const broken = await isolate(tags, { name: "0003_broken.sql", sql: "INSERT INTO nope VALUES (1)" });
  const failed = await rewind(broken, acme, { bookmark }).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "MIGRATION_FAILED", hint: expect.stringContaining("undoes that") });
  const undo = /(?<=rewinding to )\w+/.exec((failed as { hint: string }).hint)?.[0] ?? "";
  expect(await stateOf(after)).toBe("suspended");
  await rewind(after, acme, { bookmark: undo });
  await after.lifecycle.resume(acme);
  expect(await bodies(after)).toEqual(["otherwise"]);
});

test("of two who take it back at once none leaves it half-way", async () => {
  const tenantry = await isolate();
  await tenantry.lifecycle.create(acme);
  await add(tenantry, "one");
  const first = await bookmarkOf(tenantry.tenants, acme);
  await add(tenantry, "two");
  const second = await bookmarkOf(tenantry.tenants, acme);
  await add(tenantry, "three");
  const outcomes = await Promise.allSettled([
    rewind(await isolate(), acme, { bookmark: first }),
    rewind(await isolate(), acme, { bookmark: second }),
  ]);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected")
      expect(["DATABASE_BUSY", "TENANT_STATE"]).toContain((outcome.reason as { code: string }).code);
  }
  if ((await stateOf(tenantry)) === "suspended") await tenantry.lifecycle.resume(acme);
  expect([["one"], ["one", "two"], ["one", "two", "three"]]).toContainEqual(await bodies(tenantry));
});
