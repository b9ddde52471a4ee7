// What an operator sets for single tenants, through the real command line and on a running server with executors: limits,
// blocks, keys, forks, and dumps that come in and go out.
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { exportSigningKey, generateSigningKey } from "../src/auth/signing-key.ts";
import { cliFolder } from "./cli-process.ts";

test("a server's tenants are limited, blocked, forked and given keys while it runs", async () => {
  await using cli = await cliFolder();
  await cli.run(["tenants", "create", "acme"]);
  const server = cli.start(["serve", "--port", "0", "--executors", "1"]);
  const lines = createInterface({ input: server.stdout! });
  const [line] = (await once(lines, "line")) as [string];
  const url = /http:\S+/.exec(line)?.[0] as string;
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.text() };
  };
  const write = (tenant: string) =>
    post(`/t/${tenant}/query`, {
      sql: "INSERT INTO own (name) VALUES (?)",
      params: ["a"],
    });

  try {
    await post("/t/acme/query", { sql: "CREATE TABLE own (name)" });
    expect((await write("acme")).status).toBe(200);
    expect(await cli.run(["tenants", "block", "acme", "--reason", "unpaid"])).toMatchObject({
      code: 0,
      stdout: "blocked acme\n",
    });
    expect(await write("acme")).toMatchObject({ status: 403, body: /TENANT_BLOCKED/ });
    expect((await cli.run(["tenants", "show", "acme"])).stdout).toMatch(
      /blocked +writes\n *block reason +unpaid/,
    );
    expect(await cli.run(["tenants", "unblock", "acme"])).toMatchObject({
      code: 0,
      stdout: "unblocked acme\n",
    });
    expect((await write("acme")).status).toBe(200);

    const limited = await cli.run([
      "tenants",
      "limit",
      "acme",
      "20000",
      "--size",
      "8192",
      "--transactions",
      "1000",
      "--json",
    ]);
    expect(JSON.parse(limited.stdout)).toMatchObject({
      statementTimeoutMs: 20_000,
      maxBytes: 8_192,
      transactionTimeoutMs: 1_000,
    });
    const large = { sql: "INSERT INTO own (name) VALUES (hex(randomblob(20000)))" };
    expect(await post("/t/acme/query", large)).toMatchObject({ status: 507, body: /DATABASE_FULL/ });
    await cli.run(["tenants", "limit", "acme", "none", "--size", "none"]);
    expect((await post("/t/acme/query", large)).status).toBe(200);
    expect((await cli.run(["tenants", "limit", "acme"])).code).toBe(2);

    expect(await cli.run(["tenants", "fork", "acme", "trial"])).toMatchObject({
      code: 0,
      stdout: "created trial\n",
    });
    expect((await write("trial")).status).toBe(200);

    const dump = await (await fetch(`${url}/t/acme/dump`)).text();
    await writeFile(join(cli.dir, "acme.sql"), dump);
    expect(await cli.run(["tenants", "import", "again", "acme.sql"])).toMatchObject({
      code: 0,
      stdout: /^imported again, /,
    });
    expect(await cli.run(["tenants", "import", "piped", "-"], { input: dump })).toMatchObject({ code: 0 });
    const cut = await cli.run(["tenants", "import", "cut", "-"], { input: dump.slice(0, -10) });
    expect(cut).toMatchObject({ code: 1, stderr: /cut off/ });
    const count = "SELECT count(*) AS n FROM own";
    const [one, other] = await Promise.all([
      post("/t/again/query", { sql: count }),
      post("/t/acme/query", { sql: count }),
    ]);
    expect(JSON.parse(one.body).results).toEqual(JSON.parse(other.body).results);

    const key = await generateSigningKey();
    await writeFile(join(cli.dir, "acme.pem"), (await exportSigningKey(key)).publicKey);
    expect(await cli.run(["tenants", "jwt-key", "acme", "acme.pem"])).toMatchObject({ code: 0 });
    expect(await write("acme")).toMatchObject({ status: 401 });
    const token = await new SignJWT({ a: "ro" }).setProtectedHeader({ alg: "EdDSA" }).sign(key.privateKey);
    const authorization = `Bearer ${token}`;
    expect((await post("/t/acme/query", { sql: count }, { authorization })).status).toBe(200);
    expect((await post("/t/acme/query", large, { authorization })).status).toBe(403);
    expect((await cli.run(["tenants", "jwt-key", "acme", "none"])).code).toBe(0);
    expect((await write("acme")).status).toBe(200);
  } finally {
    server.kill("SIGTERM");
    await once(server, "close");
  }
});
