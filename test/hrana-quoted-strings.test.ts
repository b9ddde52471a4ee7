// What stands in double quotes and names no column is a string, as it is for libSQL; where it does name one, it is that
// column, and a name that is too many is told as SQLite tells it.
import { expect, test } from "vitest";
import { MAX_QUOTED_STRINGS } from "../src/hrana/quoted-strings.ts";
import { batch, execute, HranaRequests, integer, step } from "./support/hrana-requests.ts";
import { runningServer } from "./support/running-server.ts";

const text = (value: string): object => ({ type: "text", value });

async function requests(): Promise<HranaRequests> {
  const hrana = new HranaRequests(await runningServer());
  await hrana.run("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
  return hrana;
}

test("values and comparisons, in a statement alone, in a batch and in a script", async () => {
  const hrana = await requests();
  await hrana.run('INSERT INTO t (name) VALUES ("it\'s"), ("say ""hi"""), ("it\'s")');
  await hrana.one(batch(step('INSERT INTO "t" ("name") VALUES ("Widget")'), step("SELECT 1")));
  await hrana.one({
    type: "sequence",
    sql: 'BEGIN; UPDATE t SET name = "Tool" WHERE name = "Widget"; COMMIT',
  });
  expect(await hrana.run('SELECT "name" FROM t WHERE "name" <> "nobody" ORDER BY "id"')).toMatchObject({
    cols: [{ name: "name" }],
    rows: [[text("it's")], [text('say "hi"')], [text("it's")], [text("Tool")]],
  });
  expect(await hrana.one({ type: "describe", sql: 'SELECT id FROM t WHERE name = "nobody"' })).toMatchObject({
    result: { cols: [{ name: "id" }], is_readonly: true },
  });
  await hrana.run('CREATE TABLE checked (kind TEXT DEFAULT "new" CHECK (kind <> "old"))');
  await hrana.run("INSERT INTO checked DEFAULT VALUES");
  expect(await hrana.run("SELECT kind FROM checked")).toMatchObject({ rows: [[text("new")]] });
});

test("a name without quotes, in brackets, or of a table's, is none; nor is one of too many", async () => {
  const hrana = await requests();
  for (const sql of ["SELECT nobody", "SELECT [nobody]", "SELECT `nobody`", 'SELECT t."nobody" FROM t']) {
    expect(await hrana.one(execute(sql)), sql).toMatchObject({ code: "SQL_INPUT_ERROR" });
  }
  const names = Array.from({ length: MAX_QUOTED_STRINGS + 1 }, (_, n) => `"n${n}"`);
  expect(await hrana.one(execute(`SELECT ${names.join()}`))).toMatchObject({
    message: expect.stringContaining(`no such column: "n${MAX_QUOTED_STRINGS}"`),
  });
  const long = `SELECT ${names.slice(0, 9).join()}, '${"x".repeat(50_000)}'`;
  expect(await hrana.one(execute(long))).toMatchObject({ message: expect.stringContaining('"n4"') });
  expect(await hrana.run(`SELECT length(${names.slice(1).join(" || ")})`)).toMatchObject({
    rows: [[integer(9 * 2 + 23 * 3)]],
  });
});
