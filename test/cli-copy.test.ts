// Tenants' databases copied by the real command line: into files, to a libSQL server and back; killed and run again.
import { once } from "node:events";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { cliFolder } from "./cli-process.ts";
import { d1Api } from "./support/d1-api.ts";
import { libsqlServer } from "./support/libsql-server.ts";

/** Each command is a process, and other tests run beside these. */
const MANY_PROCESSES_MS = 240_000;

test("to a file, to a libSQL server, and back as a new tenant", { timeout: MANY_PROCESSES_MS }, async () => {
  const server = await libsqlServer();
  await server.create("acme");
  server.token = "secret";
  const place = `libsql:${server.url.replace("{tenant}", "acme")}`;
  await using cli = await cliFolder({ TENANTRY_LIBSQL_TOKEN: "secret" });
  await cli.run(["tenants", "create", "acme"]);
  await cli.run([
    "query",
    "acme",
    "INSERT INTO customers (name, email, country) VALUES ('Ada', 'ada@example.com', 'GB')",
  ]);

  const file = await cli.run(["copy", "acme", "--to", "file:./acme.db"]);
  expect(file).toMatchObject({ code: 0 });
  expect(file.stdout).toMatch(
    /^copied acme to file:\.\/acme\.db: \d+ rows in \d+ tables, the same on both sides\n$/,
  );
  const copy = new Database(join(cli.dir, "acme.db"), { readonly: true });
  expect(copy.prepare("SELECT name FROM customers").pluck().all()).toEqual(["Ada"]);
  copy.close();
  const twice = await cli.run(["copy", "acme", "--to", "file:./acme.db", "--json"]);
  expect(twice.code).toBe(1);
  expect(JSON.parse(twice.stderr)).toMatchObject({ error: { code: "DATABASE_EXISTS" } });

  const out = await cli.run(["copy", "acme", "--to", place, "--json"]);
  expect(out).toMatchObject({ code: 0, stderr: "" });
  const report = JSON.parse(out.stdout) as { tables: { table: string }[] };
  expect(report.tables.map(({ table }) => table)).toEqual(
    expect.arrayContaining(["customers", "d1_migrations"]),
  );

  const back = await cli.run(["copy", "globex", "--from", place]);
  expect(back).toMatchObject({ code: 0 });
  expect((await cli.run(["query", "globex", "SELECT name FROM customers", "--json"])).stdout).toContain(
    '"Ada"',
  );
  const again = await cli.run(["copy", "globex", "--from", place]);
  expect(again).toMatchObject({ code: 1 });
  expect(again.stderr).toContain('There is a tenant "globex" already');

  const refused = await cli.run(["copy", "acme", "--to", place], { env: { TENANTRY_LIBSQL_TOKEN: "wrong" } });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("it refuses our credentials");
  expect(refused.stderr).not.toContain("wrong");
});

test("what names no place is wrong use", { timeout: MANY_PROCESSES_MS }, async () => {
  await using cli = await cliFolder({ TENANTRY_OTHER_KEY: "secret" });
  await cli.run(["tenants", "create", "acme"]);
  for (const args of [
    [],
    ["--to", "nowhere"],
    ["--to", "do:acme"],
    ["--to", "do:https://user@tenants.example.com/acme"],
    ["--to", "do:https://tenants.example.com/one/two"],
    ["--to", "ftp://x"],
  ]) {
    expect((await cli.run(["copy", "acme", ...args])).code).toBe(2);
  }
  const nobody = await cli.run(["copy", "nobody", "--to", "file:./x.db"]);
  expect(nobody).toMatchObject({ code: 1 });
  expect(nobody.stderr).toContain('There is no tenant "nobody"');
});

test(
  "killed half-way it leaves its mark, and the next run begins anew",
  { timeout: MANY_PROCESSES_MS },
  async () => {
    const server = await libsqlServer();
    await server.create("acme");
    await using cli = await cliFolder();
    await cli.run(["tenants", "create", "acme"]);
    const { stdout } = await cli.run(["path", "acme"]);
    const db = new Database(stdout.trim());
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO customers (name, email, country) SELECT 'name ' || i, 'n' || i || '@example.com', 'GB' FROM n`);
    db.close();
    const args = ["copy", "acme", "--to", server.url.replace("{tenant}", "acme")];
    server.mishap = () => {
      if (!/INSERT INTO .{1,2}customers/.test(server.requests.at(-1)?.body ?? "")) return undefined;
      child.kill("SIGKILL");
      return undefined;
    };
    const child = cli.start(args);
    expect(await once(child, "close")).toEqual([null, "SIGKILL"]);
    server.mishap = undefined;
    const there = await server.handleOf("acme");
    const marks = { sql: "SELECT name FROM sqlite_schema WHERE name = '_tenantry_copy'", params: [] };
    expect((await there.run(marks)).rows).toHaveLength(1);
    expect(await cli.run(args)).toMatchObject({ code: 0 });
    expect((await there.run(marks)).rows).toHaveLength(0);
    expect((await there.run({ sql: "SELECT count(*) AS n FROM customers", params: [] })).rows).toEqual([
      { n: 20_000 },
    ]);
  },
);

test("to D1 by Cloudflare's API, and back", { timeout: MANY_PROCESSES_MS }, async () => {
  const api = await d1Api();
  onTestFinished(() => api.close());
  await using cli = await cliFolder({
    CLOUDFLARE_ACCOUNT_ID: "account",
    CLOUDFLARE_API_TOKEN: "token",
    CLOUDFLARE_BASE_URL: api.baseUrl,
  });
  await cli.run(["tenants", "create", "acme"]);
  await cli.run([
    "query",
    "acme",
    "INSERT INTO customers (name, email, country) VALUES ('Ada', 'ada@example.com', 'GB')",
  ]);
  expect(await cli.run(["copy", "acme", "--to", "d1:acme-at-d1"])).toMatchObject({ code: 0 });
  expect(api.names()).toEqual(["acme-at-d1"]);
  expect(await api.databaseOf("acme-at-d1").prepare("SELECT name FROM customers").first("name")).toBe("Ada");
  expect(await cli.run(["copy", "globex", "--from", "d1:acme-at-d1"])).toMatchObject({ code: 0 });
  expect((await cli.run(["query", "globex", "SELECT name FROM customers", "--json"])).stdout).toContain(
    '"Ada"',
  );
  await cli.run(["query", "acme", "CREATE TABLE large (b)"]);
  await cli.run(["query", "acme", "INSERT INTO large VALUES (zeroblob(1500000))"]);
  const large = await cli.run(["copy", "acme", "--to", "d1:large"]);
  expect(large).toMatchObject({ code: 1, stderr: expect.stringContaining("D1 cannot take it") });
  expect(api.names()).toEqual(["acme-at-d1"]);
  const none = await cli.run(["copy", "acme", "--to", "d1:x"], { env: { CLOUDFLARE_API_TOKEN: "" } });
  expect(none.code).toBe(2);
});
