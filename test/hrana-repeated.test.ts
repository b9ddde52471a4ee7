// Holds: a write that a batch has again and again is run as if each were alone, though not everything is asked for
// each: its text, its transaction, the tenant's block, and others' turns.
import { describe, expect, test } from "vitest";
import { batch, CLOSE, execute, HranaRequests, integer, ok, step } from "./support/hrana-requests.ts";
import type { TenantryOptions } from "../src/tenantry-options.ts";
import { BOTH_PLACES, runningServer, type RunningTestServer } from "./support/running-server.ts";

const INSERT = "INSERT INTO kept VALUES (?)";
/** Steps of one statement, each with the next number. */
const inserts = (sql: string | number, count: number, from = 0): object[] =>
  Array.from({ length: count }, (_, index) => ({
    stmt: { ...(typeof sql === "string" ? { sql } : { sql_id: sql }), args: [integer(from + index)] },
  }));

describe.each(BOTH_PLACES)("%s", (_, where) => {
  const start = async (
    sql = "CREATE TABLE kept (x INTEGER UNIQUE)",
    tenantry: Partial<TenantryOptions> = {},
  ): Promise<{ server: RunningTestServer; acme: HranaRequests }> => {
    const server = await runningServer({ ...where, tenantry });
    const acme = new HranaRequests(server);
    await acme.one({ type: "sequence", sql });
    return { server, acme };
  };

  test("each has its own rowid and count, and one that fails ends nothing but itself", async () => {
    const { acme } = await start();
    const twice = [...inserts(INSERT, 5), ...inserts(INSERT, 5, 3)];
    const { result } = await acme.one(batch(step("BEGIN"), ...twice, step("COMMIT")));
    const codes = result.step_errors.map((error: { code: string } | null) => error?.code ?? null);
    const constraint = "SQLITE_CONSTRAINT";
    expect(codes).toEqual([...Array(6).fill(null), constraint, constraint, null, null, null, null]);
    expect(result.step_results[5]).toMatchObject({ affected_row_count: 1, last_insert_rowid: "5" });
    expect(result.step_results[8]).toMatchObject({ affected_row_count: 1, last_insert_rowid: "6" });
    expect(await acme.value("SELECT group_concat(x) FROM kept")).toMatchObject({ value: "0,1,2,3,4,5,6,7" });
  });

  test("one that ends its transaction leaves the rest to themselves", async () => {
    const { acme } = await start();
    const replacing = "INSERT OR ROLLBACK INTO kept VALUES (?)";
    const all = [...inserts(replacing, 3), ...inserts(replacing, 1, 1), ...inserts(replacing, 2, 10)];
    const { result } = await acme.one(batch(step("BEGIN"), ...all));
    expect(result.step_errors.map(Boolean)).toEqual([false, false, false, false, true, false, false]);
    // What came before is rolled back, and what came after has committed itself.
    expect(await acme.value("SELECT group_concat(x) FROM kept")).toMatchObject({ value: "10,11" });
  });

  test("a number under which other SQL is stored is that SQL", async () => {
    const { acme } = await start("CREATE TABLE kept (x); CREATE TABLE other (x)");
    const { results } = await acme.pipeline(
      null,
      execute("BEGIN"),
      { type: "store_sql", sql_id: 1, sql: INSERT },
      ...[0, 1, 2].map((x) => ({ type: "execute", stmt: { sql_id: 1, args: [integer(x)] } })),
      { type: "close_sql", sql_id: 1 },
      { type: "store_sql", sql_id: 1, sql: "INSERT INTO other VALUES (?)" },
      ...[3, 4].map((x) => ({ type: "execute", stmt: { sql_id: 1, args: [integer(x)] } })),
      execute("COMMIT"),
      CLOSE,
    );
    expect(results.map(({ type }) => type)).toEqual(Array(11).fill("ok"));
    const both = "SELECT (SELECT group_concat(x) FROM kept) || ' ' || (SELECT group_concat(x) FROM other)";
    expect(await acme.value(both)).toMatchObject({ value: "0,1,2 3,4" });
  });

  test.each([1, 2, 3, 4])(
    "after %i of them, a number under which nothing is stored is its step's error alone",
    async (count) => {
      const { acme } = await start("CREATE TABLE kept (x)");
      const steps = [
        step("BEGIN"),
        ...inserts(INSERT, count),
        ...inserts(7, 1),
        ...inserts(INSERT, 3),
        step("COMMIT"),
      ];
      const { result } = await acme.one(batch(...steps));
      expect(result.step_errors.map((error: { code: string } | null) => error?.code ?? null)).toEqual(
        steps.map((_, at) => (at === count + 1 ? "SQL_NOT_FOUND" : null)),
      );
      expect(await acme.value("SELECT count(*) FROM kept")).toEqual(integer(count + 3));
    },
  );

  test("those whose condition does not hold are left out, and the others run", async () => {
    const { acme } = await start();
    const all = [
      ...inserts(INSERT, 4),
      // There already.
      ...inserts(INSERT, 1, 2),
      ...inserts(INSERT, 6, 10).map((one, at) => ({ ...one, condition: ok([4, 5, 5, 7, 4, 9][at]!) })),
      ...inserts(INSERT, 2, 20).map((one) => ({ ...one, condition: { type: "error", step: 5 } })),
    ];
    const { result } = await acme.one(batch(step("BEGIN"), ...all, step("COMMIT")));
    expect(result.step_errors.map(Boolean).indexOf(true)).toBe(5);
    const kept = await acme.value("SELECT group_concat(x) FROM (SELECT x FROM kept ORDER BY x)");
    expect(kept).toMatchObject({ value: "0,1,2,3,10,14,20,21" });
  });

  test("a schema that changes in between is seen by the next", async () => {
    const { acme } = await start("CREATE TABLE kept (x)");
    const add = step("ALTER TABLE kept ADD COLUMN y DEFAULT 'new'");
    const narrow = "INSERT INTO kept (x) VALUES (?)";
    const all = [...inserts(narrow, 3), add, ...inserts(narrow, 2, 3), ...inserts(INSERT, 1)];
    const { result } = await acme.one(batch(step("BEGIN"), ...all, step("COMMIT")));
    expect(result.step_errors[7]).toMatchObject({
      message: expect.stringContaining("2 columns but 1 values"),
    });
    expect(await acme.value("SELECT group_concat(x || y) FROM kept")).toMatchObject({
      value: "0new,1new,2new,3new,4new",
    });
  });

  test("parameters are counted for each", async () => {
    const { acme } = await start("CREATE TABLE kept (x)");
    const more = { stmt: { sql: INSERT, args: [integer(1), integer(2)] } };
    const none = { stmt: { sql: INSERT, args: [] } };
    const { result } = await acme.one(batch(step("BEGIN"), ...inserts(INSERT, 3), more, none));
    expect(result.step_errors.map(Boolean)).toEqual([false, false, false, false, true, true]);
  });

  test("a transaction that is open for too long is rolled back in their midst, and none of the rest is run", async () => {
    const { acme } = await start("CREATE TABLE kept (x)", { transactionTimeoutMs: 60 });
    const slow = `INSERT INTO kept WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
      SELECT max(i) + ? FROM n`;
    const conditions = inserts(slow, 100).map((one, at) => ({ ...one, condition: ok(at) }));
    const { result } = await acme.one(batch(step("BEGIN IMMEDIATE"), ...conditions));
    const at = result.step_errors.findIndex(Boolean);
    expect(result.step_errors[at]).toMatchObject({ code: "TRANSACTION_TIMEOUT" });
    expect(result.step_results.slice(at)).toEqual(Array(101 - at).fill(null));
    expect(await acme.value("SELECT count(*) FROM kept")).toEqual({ type: "integer", value: "0" });
  });

  test("others have their turns, and a block of the tenant holds from the next of them on", async () => {
    const { server, acme } = await start("CREATE TABLE kept (x)");
    const running = acme.one(batch(step("BEGIN"), ...inserts(INSERT, 30_000), step("COMMIT")));
    await acme.value("SELECT 1");
    await server.send("PATCH", "/admin/tenants/acme", { blocked: "writes", blockReason: "unpaid" });
    const { result } = await running;
    const refused = result.step_errors.findIndex(Boolean);
    expect(result.step_errors[refused]).toMatchObject({ message: expect.stringContaining("unpaid") });
    // What was written before may be committed.
    const written = refused - 1;
    expect(written).toBeLessThan(30_000);
    expect(await acme.value("SELECT count(*) FROM kept")).toMatchObject({ value: String(written) });
  });
});
