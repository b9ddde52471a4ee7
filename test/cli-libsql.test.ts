// Tenants in libSQL databases through the real command line: made, asked and served, by settings of the environment.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { cliFolder } from "./cli-process.ts";
import { libsqlServer } from "./support/libsql-server.ts";

test("with a template of URLs new tenants are libSQL databases, for every command", async () => {
  const server = await libsqlServer();
  await server.create("acme");
  server.token = "secret";
  await using cli = await cliFolder({ TENANTRY_LIBSQL_URL: server.url, TENANTRY_LIBSQL_TOKEN: "secret" });
  const made = await cli.run(["tenants", "create", "acme", "--json"]);
  expect(JSON.parse(made.stdout)).toMatchObject({ tenants: [{ id: "acme", driver: "libsql" }] });
  const there = await server.handleOf("acme");
  await there.exec("INSERT INTO customers (name, email, country) VALUES ('Ada', 'ada@example.com', 'GB')");
  expect((await cli.run(["query", "acme", "SELECT name FROM customers", "--json"])).stdout).toContain(
    '"Ada"',
  );
  const path = await cli.run(["path", "acme"]);
  expect(path).toMatchObject({ code: 1 });
  expect(path.stderr).toContain('kept by the driver "libsql"');

  const child = cli.start(["serve", "--port", "0"]);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, "line")) as [string];
  const url = /http:\S+/.exec(line)?.[0] ?? "";
  const answer = await fetch(`${url}/t/acme/rest/customers?select=name`);
  expect(await answer.json()).toEqual([{ name: "Ada" }]);
  child.kill("SIGTERM");
  expect(await once(child, "close")).toEqual([0, null]);

  const without = await cli.run(["query", "acme", "SELECT 1"], { env: { TENANTRY_LIBSQL_URL: "" } });
  expect(without.code).toBe(1);
  expect(without.stderr).toContain('Tenant "acme" is kept by the driver "libsql"');
});

test("an organisation at Turso without its token, or the reverse, is told before anything is made", async () => {
  await using cli = await cliFolder({ TENANTRY_LIBSQL_URL: "libsql://{tenant}-acme.turso.io" });
  for (const [set, unset] of [
    ["TENANTRY_TURSO_ORG", "TENANTRY_TURSO_TOKEN"],
    ["TENANTRY_TURSO_TOKEN", "TENANTRY_TURSO_ORG"],
  ] as const) {
    const half = await cli.run(["tenants", "create", "acme"], { env: { [set]: "half-of-it" } });
    expect(half.code).toBe(2);
    expect(half.stderr).toContain(`${set} is set, and ${unset} is not`);
    expect(half.stderr).not.toContain("half-of-it");
  }
});
