// SQL through the real command line: `query`, and `shell` with a script.
import { beforeAll, afterAll, expect, test } from "vitest";
import { type CliFolder, cliFolder } from "./cli-process.ts";

let cli: CliFolder;

beforeAll(async () => {
  cli = await cliFolder({ TENANTRY_MIGRATIONS: "." });
  await cli.run(["tenants", "create", "acme"]);
  await cli.run(["shell", "acme"], {
    input:
      "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);\nINSERT INTO notes (body)\nVALUES ('one'), ('t;wo');",
  });
});

afterAll(() => cli[Symbol.asyncDispose]());

test("query prints a table, or with --json what D1 answers", async () => {
  const [table, json, stdin] = await Promise.all([
    cli.run(["query", "acme", "SELECT id, body, NULL AS none, x'01ff' AS blob FROM notes"]),
    cli.run([
      "query",
      "acme",
      "SELECT body, x'01ff' AS blob FROM notes WHERE id = ?",
      "--params",
      "[2]",
      "--json",
    ]),
    cli.run(["query", "acme", "-"], { input: "SELECT count(*) AS n\nFROM notes;\n" }),
  ]);
  expect(table.stdout).toBe("id  body  none  blob\n 1  one   NULL  x'01ff'\n 2  t;wo  NULL  x'01ff'\n");
  expect(table.stderr).toMatch(/^2 rows in /);
  expect(json.stderr).toBe("");
  expect(JSON.parse(json.stdout)).toEqual({
    success: true,
    meta: expect.objectContaining({ changes: 0, rows_read: expect.any(Number) }),
    results: [{ body: "t;wo", blob: [1, 255] }],
  });
  expect(stdin.stdout).toBe("n\n2\n");
});

test("query goes through the guard, and says what is wrong", async () => {
  const [attach, unknown, params] = await Promise.all([
    cli.run(["query", "acme", "ATTACH 'x.db' AS x"]),
    cli.run(["query", "nobody", "SELECT 1"]),
    cli.run(["query", "acme", "SELECT ?", "--params", "{}"]),
  ]);
  expect(attach).toMatchObject({ code: 1, stdout: "" });
  expect(attach.stderr).toContain('error: A statement that begins with "ATTACH" is refused.\nhint: ');
  expect(unknown).toMatchObject({ code: 1 });
  expect(params).toMatchObject({ code: 2 });
});

test("text from a database cannot rewrite the terminal", async () => {
  const { stdout } = await cli.run(["query", "acme", "SELECT char(27) || '[2J' || char(10) || 'x' AS a"]);
  expect(stdout).toBe("a\n\\u001b[2J\\nx\n");
});

test("a script in the shell has transactions, and ends at the first error", async () => {
  const { code, stdout, stderr } = await cli.run(["shell", "acme"], {
    input:
      "BEGIN;\nDELETE FROM notes;\nROLLBACK;\nSELECT count(*) AS n FROM notes;\nSELECT nope;\nDELETE FROM notes;",
  });
  expect(code).toBe(1);
  expect(stdout).toBe("n\n2\n");
  expect(stderr).toContain("no such column: nope");
  const unfinished = await cli.run(["shell", "acme"], { input: "BEGIN; DELETE FROM notes;" });
  expect(unfinished.stderr).toContain("rolled back");
  expect((await cli.run(["query", "acme", "SELECT count(*) AS n FROM notes"])).stdout).toBe("n\n2\n");
});

test("a reader that goes away is no error", async () => {
  const sql =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000) SELECT i FROM n";
  const child = cli.start(["query", "acme", sql]);
  child.stdin!.end();
  child.stdout!.once("data", () => child.stdout!.destroy());
  let stderr = "";
  child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("close", resolve);
  expect(await promise).toBe(0);
  expect(stderr).toMatch(/^90,000 rows in .*\n$/);
});
