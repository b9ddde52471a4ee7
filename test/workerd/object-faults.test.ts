// Owns what goes wrong with objects: evicted, stopped or made anew, schema that is refused, limits. Each with its
// code, and nothing half-done.
import { env, evictDurableObject, reset, runDurableObjectAlarm } from "cloudflare:test";
import { beforeEach, describe, expect, test } from "vitest";
import {
  durableObjectDriver,
  objectDatabase,
  type ObjectNamespace,
} from "../../src/driver-durable-object.ts";
import { parseTenantId } from "../../src/tenant-id.ts";
import { bookmarkOf, rewind } from "../../src/tenants/rewind.ts";
import { createWorkerTenantry, migrationSet, type WorkerTenantry } from "../../src/worker.ts";
import { expectDivided } from "../support/divided-insert.ts";

const acme = parseTenantId("acme");
const NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)";

/** An isolate of its own: what it remembers is not what another has found out. */
async function isolate(sql = NOTES, name = "0001_notes.sql"): Promise<WorkerTenantry> {
  return createWorkerTenantry({
    driver: durableObjectDriver({ namespace: env.TENANTS }),
    catalog: objectDatabase({ namespace: env.TENANTS }),
    migrations: await migrationSet([{ name, sql }]),
    cacheMs: 60_000,
  });
}

const count = (of: WorkerTenantry): Promise<unknown> =>
  of.database("acme").prepare("SELECT count(*) AS n FROM notes").first("n");
const add = (of: WorkerTenantry): Promise<unknown> =>
  of.database("acme").prepare("INSERT INTO notes (body) VALUES ('x')").run();

beforeEach(() => reset());

describe("objects", () => {
  test("an object that is evicted between two statements answers the next one", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    await add(tenantry);
    await evictDurableObject(env.TENANTS.get(env.TENANTS.idFromName("acme")) as never);
    expect(await count(tenantry)).toBe(1);
    await evictDurableObject(env.TENANTS.get(env.TENANTS.idFromName("acme")) as never);
    await add(tenantry);
    expect(await count(tenantry)).toBe(2);
  });

  test("a tenant that one isolate suspends is refused at once by another that had it open", async () => {
    const [one, two] = [await isolate(), await isolate()];
    await one.lifecycle.create(acme);
    await add(two);
    await one.lifecycle.suspend(acme);
    await expect(add(two)).rejects.toMatchObject({ code: "TENANT_SUSPENDED" });
    await one.lifecycle.resume(acme);
    await add(one);
    expect(await count(one)).toBe(2);
  });

  test("a tenant that is made anew has nothing of its former self, also for who had that open", async () => {
    const [one, two] = [await isolate(), await isolate()];
    await one.lifecycle.create(acme);
    await add(two);
    await one.lifecycle.delete(acme);
    await expect(count(two)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
    await one.lifecycle.create(acme);
    expect([await count(one), await count(two)]).toEqual([0, 0]);
  });

  test("of several who create a tenant at once one wins, and the tenant is whole", async () => {
    const isolates = await Promise.all([isolate(), isolate(), isolate()]);
    const outcomes = await Promise.allSettled(isolates.map((one) => one.lifecycle.create(acme)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") continue;
      expect(["TENANT_EXISTS", "TENANT_BUSY", "DATABASE_BUSY"]).toContain(
        (outcome.reason as { code: string }).code,
      );
    }
    expect(await count(isolates[0] as WorkerTenantry)).toBe(0);
  });

  test("migrations run inside the object at its first use after a deployment, once", async () => {
    const before = await isolate();
    await before.lifecycle.create(acme);
    await add(before);
    const after = await createWorkerTenantry({
      driver: durableObjectDriver({ namespace: env.TENANTS }),
      catalog: objectDatabase({ namespace: env.TENANTS }),
      migrations: await migrationSet([
        { name: "0001_notes.sql", sql: NOTES },
        { name: "0002_tags.sql", sql: "ALTER TABLE notes ADD COLUMN tag TEXT DEFAULT 'none'" },
      ]),
    });
    const tags = (): Promise<unknown> => after.database("acme").prepare("SELECT tag FROM notes").raw();
    expect(await Promise.all([tags(), tags(), tags()])).toEqual([[["none"]], [["none"]], [["none"]]]);
    const journal = await after
      .database("acme")
      .prepare("SELECT name, checksum IS NOT NULL AS checked FROM d1_migrations ORDER BY id")
      .raw();
    expect(journal).toEqual([
      ["0001_notes.sql", 1],
      ["0002_tags.sql", 1],
    ]);
  });

  test("schema that is refused leaves no tenant, and quarantines one that was there", async () => {
    const broken = await isolate("CREATE TABLE notes (id INTEGER PRIMARY KEY); CREATE TABEL more (x)");
    await expect(broken.lifecycle.create(acme)).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
    expect(await broken.catalog.get(acme, { fresh: true })).toBeUndefined();
    const fine = await isolate();
    await fine.lifecycle.create(acme);
    const wrong = await isolate("CREATE TEMP TABLE more (x)", "0002_more.sql");
    await expect(count(wrong)).rejects.toMatchObject({ code: "TENANT_QUARANTINED" });
    expect(await fine.catalog.get(acme, { fresh: true })).toMatchObject({ state: "quarantined" });
  });

  test("a migration that rebuilds a parent keeps its children", async () => {
    const parents = `CREATE TABLE p (id INTEGER PRIMARY KEY);
      CREATE TABLE c (p INTEGER REFERENCES p (id) ON DELETE CASCADE);
      INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);`;
    const tenantry = await isolate(parents);
    await tenantry.lifecycle.create(acme);
    const rebuilt = await createWorkerTenantry({
      driver: durableObjectDriver({ namespace: env.TENANTS }),
      catalog: objectDatabase({ namespace: env.TENANTS }),
      migrations: await migrationSet([
        { name: "0001_notes.sql", sql: parents },
        {
          name: "0002_rebuild.sql",
          sql: `PRAGMA foreign_keys = OFF;
            CREATE TABLE new_p (id INTEGER PRIMARY KEY, name TEXT);
            INSERT INTO new_p (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE new_p RENAME TO p;
            PRAGMA foreign_keys = ON;`,
        },
      ]),
    });
    const db = rebuilt.database("acme");
    expect(await db.prepare("SELECT count(*) AS n FROM c").first("n")).toBe(1);
    expect(await db.prepare("PRAGMA foreign_keys").first("foreign_keys")).toBe(1);
    await expect(db.prepare("INSERT INTO c VALUES (9)").run()).rejects.toMatchObject({ code: "CONSTRAINT" });
  });

  test("a batch over the limits is refused, and nothing of it is done", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    const db = tenantry.database("acme");
    const insert = db.prepare("INSERT INTO notes (body) VALUES (?)");
    const many = db.prepare(`INSERT INTO notes (body) VALUES ${Array(101).fill("(lower(?))").join(",")}`);
    await expect(
      db.batch([insert.bind("a"), many.bind(...Array<string>(101).fill("x"))]),
    ).rejects.toMatchObject({ code: "TOO_MANY_PARAMETERS" });
    const long = db.prepare(`INSERT INTO notes (body) VALUES ('${"x".repeat(100_001)}')`);
    await expect(db.batch([insert.bind("a"), long])).rejects.toMatchObject({ code: "SQL_TOO_LONG" });
    const endless =
      "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, hex(zeroblob(500)) FROM c";
    await expect(db.prepare(endless).all()).rejects.toMatchObject({ code: "RESPONSE_TOO_LARGE" });
    const tooMuch = Array.from({ length: 20 }, () => insert.bind("x".repeat(1_900_000)));
    await expect(db.batch(tooMuch)).rejects.toMatchObject({ code: "BODY_TOO_LARGE" });
    expect(await count(tenantry)).toBe(0);
  });

  test("an insert of many rows is divided at a hundred parameters, and done as a whole", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    await expectDivided(tenantry.database("acme"));
  });

  test("a statement that is stopped at a limit has written nothing", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    const run = tenantry.tenants.runner(acme);
    const sql = "INSERT INTO notes (body) SELECT value FROM json_each('[1,2,3]') RETURNING id";
    await expect(run.run({ sql, params: [] }, { maxRows: 2 })).rejects.toMatchObject({
      code: "TOO_MANY_ROWS",
    });
    await expect(run.run({ sql: "DELETE FROM notes", params: [] }, { readOnly: true })).rejects.toMatchObject(
      {
        code: "READ_ONLY",
      },
    );
    const both = [
      { sql: "INSERT INTO notes (body) VALUES ('first')", params: [] },
      { sql, params: [] },
    ];
    await expect(run.batch(both, { maxRows: 2 })).rejects.toMatchObject({ code: "TOO_MANY_ROWS" });
    expect(await count(tenantry)).toBe(0);
  });

  test("statements of one turn travel together, each with its own outcome, in their order", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    const db = tenantry.database("acme");
    const insert = (n: number): Promise<unknown> =>
      db.prepare("INSERT INTO notes (id, body) VALUES (?, ?)").bind(n, `note ${n}`).run();
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 1200 }, (_, n) => insert(n)),
      insert(7),
      db.prepare("SELECT count(*) AS n FROM notes").first("n"),
      db.batch([db.prepare("DELETE FROM notes WHERE id >= 1000")]),
      db.prepare("SELECT count(*) AS n FROM notes").first("n"),
      db.prepare("SELEC").run(),
    ]);
    const failed = outcomes.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
    expect(failed.map(({ reason }) => (reason as { code: string }).code)).toEqual([
      "CONSTRAINT",
      "SQL_ERROR",
    ]);
    const values = outcomes.slice(1201, 1204).map((one) => (one as { value?: unknown }).value);
    expect([values[0], values[2]]).toEqual([1200, 1000]);
  });

  test("answers that are too large for one call come in several", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    const run = tenantry.tenants.runner(acme);
    const large = (n: number) => ({ sql: `SELECT hex(zeroblob(900000)) || ? AS v`, params: [n] });
    const write = (n: number) => ({
      sql: "INSERT INTO notes (body) VALUES (?) RETURNING hex(zeroblob(900000)) || body AS v",
      params: [n],
    });
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, n) => run.run(n % 2 === 0 ? large(n) : write(n))),
    );
    const said = results.map(({ rows }) => Number((rows[0] as { v: string }).v.slice(1_800_000)));
    expect(said).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(await count(tenantry)).toBe(20);
  });

  test("rows that triggers and keys change are counted from the moment that there are any", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    const db = tenantry.database("acme");
    const changes = async (sql: string): Promise<unknown> => (await db.prepare(sql).run()).meta.changes;
    const insert = "INSERT INTO notes (body) VALUES ('x')";
    expect(await changes(insert)).toBe(1);
    await db.prepare("CREATE TABLE log (note INTEGER REFERENCES notes (id) ON DELETE CASCADE)").run();
    await db
      .prepare("CREATE TRIGGER noted AFTER INSERT ON notes BEGIN INSERT INTO log VALUES (NEW.id); END")
      .run();
    expect(await changes(insert)).toBe(2);
    await expect(
      db.batch([db.prepare("DROP TRIGGER noted"), db.prepare("INSERT INTO log VALUES (99)")]),
    ).rejects.toMatchObject({ code: "CONSTRAINT" });
    expect(await changes(insert)).toBe(2);
    expect(await changes("DELETE FROM notes WHERE id = 3")).toBe(2);
    await db.exec("DROP TRIGGER noted; DROP TABLE log");
    expect(await changes(insert)).toBe(1);
    expect(await changes("INSERT OR IGNORE INTO notes (id, body) VALUES (1, 'there')")).toBe(0);
    expect(await changes("CREATE INDEX by_body ON notes (body)")).toBe(0);
  });

  test("a table can be dropped after reading only a part of it", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    const db = tenantry.database("acme");
    await db.batch([1, 2, 3].map((n) => db.prepare("INSERT INTO notes (body) VALUES (?)").bind(n)));
    const run = tenantry.tenants.runner(acme);
    const all = { sql: "SELECT * FROM notes", params: [] };
    await expect(run.run(all, { maxRows: 2 })).rejects.toMatchObject({ code: "TOO_MANY_ROWS" });
    expect((await run.run(all, { first: true })).rows).toHaveLength(1);
    const more = {
      sql: "SELECT n.* FROM notes n, json_each(?)",
      params: [JSON.stringify(Array(5000).fill(1))],
    };
    await expect(run.run(more, { maxRows: 2 })).rejects.toMatchObject({ code: "TOO_MANY_ROWS" });
    await expect(run.batch([all, more], { maxBytes: 1000 })).rejects.toMatchObject({
      code: "RESPONSE_TOO_LARGE",
    });
    await db.prepare("DROP TABLE notes").run();
  });

  test("what an object does not have says what to do instead", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    await expect(tenantry.database("acme").transaction("write", async () => 1)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      hint: expect.stringContaining("batch()"),
    });
  });

  test("the alarm looks after the database some time after a write", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    await add(tenantry);
    const stub = env.TENANTS.get(env.TENANTS.idFromName("acme")) as never;
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await runDurableObjectAlarm(stub)).toBe(false);
    expect(await count(tenantry)).toBe(1);
  });

  test("a tenant's object is asked for where it is to be made, and within its jurisdiction", async () => {
    const asked: unknown[] = [];
    const recording: ObjectNamespace = {
      idFromName: (name) => env.TENANTS.idFromName(name),
      get(id, options) {
        asked.push(options);
        return env.TENANTS.get(id as never);
      },
      jurisdiction(name) {
        asked.push(name);
        return recording;
      },
    };
    const driver = durableObjectDriver({ namespace: recording, jurisdiction: "eu", locationHint: "weur" });
    expect(await driver.exists("acme")).toBe(false);
    expect(asked).toEqual(["eu", { locationHint: "weur" }]);
  });

  test("what local runs have no past of says so, and nothing is undone", async () => {
    const tenantry = await isolate();
    await tenantry.lifecycle.create(acme);
    await add(tenantry);
    await expect(rewind(tenantry, acme, { at: Date.now() })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(rewind(tenantry, acme, { bookmark: "0-0-0-0" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await bookmarkOf(tenantry.tenants, acme)).toMatch(/^[0-9a-f-]+$/);
    expect(await tenantry.catalog.get(acme, { fresh: true })).toMatchObject({ state: "active" });
    expect(await count(tenantry)).toBe(1);
  });

  test("a namespace that is not bound is found when the driver is made", () => {
    expect(() => durableObjectDriver({ namespace: undefined as never })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", hint: expect.stringContaining("wrangler.toml") }),
    );
  });
});
