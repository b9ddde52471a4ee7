// Tenants through the real command line: made, listed, ended, brought in and taken out as files.
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { cliFolder } from "./cli-process.ts";

test("tenants are made, listed, suspended, resumed and deleted", async () => {
  await using cli = await cliFolder();
  const none = await cli.run(["tenants", "list"]);
  expect(none.code).toBe(2);
  expect(none.stderr).toMatch(/^error: There is no data folder at .*\nhint: Name it with --data/);

  expect(await cli.run(["tenants", "create", "acme", "globex", "acme"])).toMatchObject({
    code: 0,
    stdout: "created acme\ncreated globex\n",
  });
  const again = await cli.run(["tenants", "create", "globex", "initech", "--json"]);
  expect(again.code).toBe(1);
  expect(JSON.parse(again.stdout)).toMatchObject({
    tenants: [{ id: "initech", state: "active" }],
    failed: [{ tenant: "globex", code: "TENANT_EXISTS" }],
  });

  expect((await cli.run(["tenants", "suspend", "acme", "--reason", "unpaid"])).code).toBe(0);
  const [suspended, listed, shown, path] = await Promise.all([
    cli.run(["query", "acme", "SELECT 1", "--json"]),
    cli.run(["tenants", "list", "--state", "suspended"]),
    cli.run(["tenants", "show", "acme", "--json"]),
    cli.run(["path", "acme"]),
  ]);
  expect(suspended.code).toBe(1);
  expect(JSON.parse(suspended.stderr)).toMatchObject({ error: { code: "TENANT_SUSPENDED" } });
  expect(listed.stdout).toMatch(/^TENANT +STATE .*\nacme +suspended .*\n$/);
  expect(JSON.parse(shown.stdout)).toMatchObject({ id: "acme", reason: "unpaid", hosts: [] });
  expect(JSON.parse(shown.stdout)).toHaveProperty("path", path.stdout.trim());

  const unasked = await cli.run(["tenants", "delete", "acme"]);
  expect(unasked).toMatchObject({ code: 2, stdout: "" });
  expect(unasked.stderr).toContain("--yes");
  expect(await cli.run(["tenants", "delete", "acme", "--yes"])).toMatchObject({
    code: 0,
    stdout: "deleted acme\n",
  });
  const all = await cli.run(["tenants", "list", "--all", "--limit", "1", "--json"]);
  expect(JSON.parse(all.stdout).tenants.map(({ id }: { id: string }) => id)).toEqual(["globex", "initech"]);
});

test("a file is imported with what its write-ahead log holds, stays as it is, and comes out again", async () => {
  await using cli = await cliFolder({ TENANTRY_MIGRATIONS: "." });
  const file = join(cli.dir, "old.sqlite");
  const old = new Database(file);
  old.pragma("journal_mode = WAL");
  old.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)");
  old.pragma("wal_checkpoint(TRUNCATE)");
  old.prepare("INSERT INTO notes (body) VALUES (?)").run("only in the log");

  expect(await cli.run(["tenants", "import", "acme", file])).toMatchObject({ code: 0, stderr: "" });
  expect(old.prepare("SELECT count(*) FROM notes").pluck().get()).toBe(1);
  expect(old.pragma("journal_mode", { simple: true })).toBe("wal");
  old.close();

  const out = join(cli.dir, "out.db");
  expect(await cli.run(["tenants", "export", "acme", "-o", out])).toMatchObject({ code: 0, stderr: "" });
  expect((await cli.run(["tenants", "export", "acme", "-o", out])).code).toBe(2);
  const copy = new Database(out, { readonly: true });
  expect(copy.prepare("SELECT body FROM notes").pluck().all()).toEqual(["only in the log"]);
  copy.close();

  const refused = await cli.run(["tenants", "import", "bad", "-"], { input: "not a database, by any means" });
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(/^error: This is neither a SQLite database nor the SQL text of one/);
});
