// Tenants' databases copied by the real command line into a Worker's objects, into another server, and back; killed and
// run again. And what a Worker's past can be asked for by it.
import { once } from "node:events";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";
import { type CliFolder, cliFolder } from "./cli-process.ts";
import { localWorker } from "./support/local-worker.ts";
import { saidUrl } from "./support/said-url.ts";

/** Each command is a process, and other tests run beside these. */
const MANY_PROCESSES_MS = 300_000;
const ROWS = 6000;

const server = async (key: string): Promise<string> => {
  const cli = await cliFolder({ TENANTRY_ADMIN_KEY: key });
  onTestFinished(() => cli[Symbol.asyncDispose]());
  return saidUrl(cli.start(["serve", "--port", "0"]));
};

async function withCustomers(cli: CliFolder): Promise<void> {
  await cli.run(["tenants", "create", "acme"]);
  const { stdout } = await cli.run(["path", "acme"]);
  const db = new Database(stdout.trim());
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
    INSERT INTO customers (name, email, country) SELECT 'name ' || i, 'n' || i || '@example.com', 'GB' FROM n;
    CREATE TABLE odd (a, b); INSERT INTO odd VALUES (9007199254740993, x'00ff'), (-0.5, NULL), ('a' || char(0), 1.0)`);
  db.close();
}

describe.each([
  ["a Worker's object", "do", localWorker],
  ["another server", "tenantry", server],
])("%s", (_, kind, start) => {
  test("takes a tenant, gives it back, and can be gone on with", { timeout: MANY_PROCESSES_MS }, async () => {
    const { secret: key } = await createApiKey();
    const url = await start(key);
    await using cli = await cliFolder({ TENANTRY_OTHER_KEY: key });
    const ask = async (method: string, path: string, body?: object) => {
      const answer = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const query = async (tenant: string, sql: string) => ask("POST", `/t/${tenant}/query`, { sql });
    await withCustomers(cli);

    const out = await cli.run(["copy", "acme", "--to", `${kind}:${url}`, "--json"]);
    expect(out).toMatchObject({ code: 0, stderr: "" });
    const { rows } = JSON.parse(out.stdout) as { rows: number };
    expect(rows).toBeGreaterThan(ROWS);
    expect((await ask("GET", "/admin/tenants/acme")).body).toMatchObject({ state: "active", reason: null });
    const count = "SELECT count(*) AS n FROM customers";
    expect((await query("acme", count)).body["results"]).toEqual([{ n: ROWS }]);
    const left = "SELECT name FROM sqlite_schema WHERE name LIKE '\\_tenantry%' ESCAPE '\\'";
    expect((await query("acme", left)).body["results"]).toEqual([]);
    expect((await ask("GET", "/admin/tenants/acme/migrations")).body["migrations"]).toMatchObject([
      { state: "applied" },
      { state: "applied" },
      { state: "applied" },
      { state: "applied" },
    ]);

    const twice = await cli.run(["copy", "acme", "--to", `${kind}:${url}`]);
    expect(twice.code).toBe(1);
    expect(twice.stderr).toContain("Nothing of it was changed");

    // As if the one before had been cut short at its very end.
    await ask("POST", "/admin/tenants/acme/suspend", { reason: "being copied" });
    const whole = await cli.run(["copy", "acme", "--to", `${kind}:${url}`]);
    expect(whole.code).toBe(1);
    expect(whole.stderr).toContain("Resume it");
    expect((await ask("POST", "/admin/tenants/acme/resume")).body).toMatchObject({ state: "active" });

    const args = ["copy", "acme", "--to", `${kind}:${url}/globex`];
    const child = cli.start(args);
    child.stderr?.once("data", () => child.kill("SIGKILL"));
    expect(await once(child, "close")).toEqual([null, "SIGKILL"]);
    expect((await ask("GET", "/admin/tenants/globex")).body).toMatchObject({
      state: "suspended",
      reason: "being copied",
    });
    expect((await query("globex", "SELECT 1")).body["code"]).toBe("TENANT_SUSPENDED");
    expect(await cli.run(args)).toMatchObject({ code: 0 });
    expect((await query("globex", count)).body["results"]).toEqual([{ n: ROWS }]);

    expect(await cli.run(["copy", "back", "--from", `${kind}:${url}/acme`])).toMatchObject({ code: 0 });
    expect((await cli.run(["query", "back", count, "--json"])).stdout).toContain(`${ROWS}`);
    const through = await cli.run(["copy", "acme", "--from", `${kind}:${url}`, "--to", "file:./acme.db"]);
    expect(through).toMatchObject({ code: 0 });
    const file = new Database(join(cli.dir, "acme.db"), { readonly: true });
    const odd = "SELECT quote(a), hex(a), quote(b), typeof(b) FROM odd ORDER BY rowid";
    const own = new Database((await cli.run(["path", "acme"])).stdout.trim(), { readonly: true });
    expect(file.prepare(odd).raw().all()).toEqual(own.prepare(odd).raw().all());
    own.close();
    file.close();

    const db = new Database((await cli.run(["path", "acme"])).stdout.trim());
    db.exec("CREATE TABLE large (b); INSERT INTO large VALUES (zeroblob(1500000))");
    db.close();
    const large = await cli.run(["copy", "acme", "--to", `${kind}:${url}/large`]);
    expect(large).toMatchObject({ code: 1, stderr: expect.stringContaining("Tenantry cannot take it") });
    expect((await ask("GET", "/admin/tenants/large")).status).toBe(404);

    await ask("POST", "/admin/tenants", { id: "empty", empty: true });
    const empty = await cli.run(["copy", "empty", "--from", `${kind}:${url}`, "--to", "file:./empty.db"]);
    expect(empty).toMatchObject({ code: 0 });

    const wrong = await cli.run(["copy", "acme", "--to", `${kind}:${url}/other`], {
      env: { TENANTRY_OTHER_KEY: "tnt_wrong" },
    });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).not.toContain("tnt_wrong");
    expect(
      (await cli.run(["copy", "acme", "--to", `${kind}:${url}`], { env: { TENANTRY_OTHER_KEY: "" } })).code,
    ).toBe(2);
    expect((await cli.run(["copy", "acme", "--to", `${kind}:http://example.com/acme`])).code).toBe(2);

    const pipeline = { requests: [{ type: "execute", stmt: { sql: "DELETE FROM customers" } }] };
    const refused = await ask("POST", "/admin/tenants/acme/database/v3/pipeline", pipeline);
    expect(JSON.stringify(refused.body)).toContain("what is in use is not written over");
    expect((await query("acme", count)).body["results"]).toEqual([{ n: ROWS }]);

    const rewound = await cli.run(["rewind", `${kind}:${url}/acme`, "--to", "2026-11-22", "--yes", "--json"]);
    expect(JSON.parse(rewound.stderr)).toMatchObject({ error: { code: "UNSUPPORTED" } });
    expect((await ask("GET", "/admin/tenants/acme")).body).toMatchObject({ state: "active" });
    const bookmark = await cli.run(["bookmark", `${kind}:${url}/acme`]);
    if (kind === "do") expect(bookmark.stdout).toMatch(/^[0-9a-f-]+\n$/);
    else expect(bookmark.stderr).toContain("keeps no past");
  });
});
