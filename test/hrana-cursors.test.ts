// Holds: a cursor's rows are read as they are taken, not before; others go on meanwhile; and whatever ends it, the
// connection that it had is given back.
import { describe, expect, test } from "vitest";
import { cursorText } from "./support/cursor-text.ts";
import { CLOSE, execute, HranaRequests, integer, step } from "./support/hrana-requests.ts";
import { BOTH_PLACES, runningServer, type RunningTestServer } from "./support/running-server.ts";

const ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

interface OpenCursor {
  readonly baton: string;
  /** The entries that have come so far, at least up to the first row. */
  readonly entries: Record<string, unknown>[];
  /** All of them. */
  rest(): Promise<Record<string, unknown>[]>;
  cancel(): Promise<void>;
}

async function open(server: RunningTestServer, ...steps: readonly object[]): Promise<OpenCursor> {
  const cursor = await cursorText(server, steps);
  const entriesOf = (text: string): Record<string, unknown>[] =>
    text
      .slice(0, text.lastIndexOf("\n"))
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const [{ baton }, ...first] = entriesOf(await cursor.until(/"type":"row".*\n/)) as [{ baton: string }];
  return {
    baton,
    entries: first,
    rest: async () => entriesOf(await cursor.rest()).slice(1),
    cancel: cursor.cancel,
  };
}

describe.each(BOTH_PLACES)("%s", (_, where) => {
  test("rows of a statement without end come, others go on, and the end is the reader's", async () => {
    const server = await runningServer(where);
    const hrana = new HranaRequests(server);
    const cursors = await Promise.all(Array.from({ length: 4 }, () => open(server, step(ENDLESS))));
    for (const { entries } of cursors) {
      expect(entries.slice(0, 2)).toEqual([
        { type: "step_begin", step: 0, cols: [{ name: "i", decltype: null }] },
        { type: "row", row: [integer(1)] },
      ]);
    }
    await hrana.run("INSERT INTO customers (name) VALUES ('a')");
    expect(await hrana.value("SELECT count(*) FROM customers")).toEqual(integer(1));
    for (const cursor of cursors) await cursor.cancel();
    await server.expectHealthy();
  });

  test("what is not taken in time is read up to the limit of rows, and a stream goes on behind it", async () => {
    const server = await runningServer(where);
    const hrana = new HranaRequests(server);
    const { baton, rest } = await open(
      server,
      step("BEGIN IMMEDIATE"),
      step(ENDLESS),
      step("SELECT 7 AS seven"),
    );
    const { results } = await hrana.pipeline(baton, execute("COMMIT"), execute("SELECT 8"), CLOSE);
    expect(results.map(({ type }) => type)).toEqual(["ok", "ok", "ok"]);
    expect((await rest()).slice(-4)).toMatchObject([
      { type: "step_error", step: 1, error: { code: "RESPONSE_TOO_LARGE" } },
      { type: "step_begin", step: 2 },
      { type: "row", row: [integer(7)] },
      { type: "step_end" },
    ]);
    await server.expectHealthy();
  });

  test("an error behind some rows is their step's, and the next step is told of it", async () => {
    const server = await runningServer(where);
    const hrana = new HranaRequests(server);
    const FAILS = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
      SELECT iif(i < 8000, i, json('no JSON')) FROM n`;
    const [, ...entries] = await hrana.cursor(
      null,
      step(FAILS),
      step("SELECT 'no'", { type: "ok", step: 0 }),
      step("SELECT 'yes'", { type: "error", step: 0 }),
    );
    expect(entries.filter(({ type }) => type === "row")).toHaveLength(7_999 + 1);
    expect(entries.slice(-4)).toMatchObject([
      { type: "step_error", step: 0, error: { code: "SQLITE_ERROR", message: /malformed JSON/ } },
      { type: "step_begin", step: 2 },
      { type: "row", row: [{ type: "text", value: "yes" }] },
      { type: "step_end", affected_row_count: 0, last_insert_rowid: null },
    ]);
    await server.expectHealthy();
  });

  test("columns are those of the schema now, without rows as well", async () => {
    const hrana = new HranaRequests(await runningServer(where));
    const ALL = "SELECT * FROM customers";
    const columns = async (): Promise<unknown> =>
      (await hrana.cursor(null, step(ALL)))[1].cols.map(({ name }: { name: string }) => name);
    expect(await columns()).toEqual(["id", "name", "email"]);
    await hrana.run("ALTER TABLE customers ADD COLUMN city TEXT");
    expect(await columns()).toEqual(["id", "name", "email", "city"]);
    await hrana.run("INSERT INTO customers (name) VALUES ('a')");
    expect(await columns()).toEqual(["id", "name", "email", "city"]);
  });

  test("a tenant that is blocked while it is read ends the cursor", async () => {
    const server = await runningServer({ ...where, tenants: ["acme", "globex"] });
    const { rest } = await open(server, step(ENDLESS));
    await server.send("PATCH", "/admin/tenants/acme", { blocked: "all", blockReason: "unpaid" });
    expect((await rest()).at(-1)).toMatchObject({ type: "step_error", error: { code: "BLOCKED" } });
    await server.expectHealthy("globex");
  });
});
