// The server as the command line starts and ends it.
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { cliFolder } from "./cli-process.ts";

test("serve says where it serves, makes the sample, and ends with 0 on SIGTERM", async () => {
  await using cli = await cliFolder({ TENANTRY_PORT: "0" });
  const server = cli.start(["serve", "--sample"]);
  const lines: string[] = [];
  const { promise: line, resolve } = Promise.withResolvers<string>();
  createInterface({ input: server.stdout! }).on("line", (each) => {
    lines.push(each);
    resolve(each);
  });
  const url = /^Tenantry serves 3 tenants of .*data at (http:\/\/127\.0\.0\.1:\d+)$/.exec(await line)?.[1];
  const answer = await fetch(`${url}/t/acme/query`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sql: "SELECT count(*) > 10 AS many FROM invoices", params: [] }),
  });
  const served = (await answer.json()) as { results: unknown };
  expect(served.results).toEqual([{ many: 1 }]);

  const beside = await cli.run(["query", "acme", "SELECT count(*) > 10 AS many FROM invoices", "--json"]);
  expect(JSON.parse(beside.stdout)).toMatchObject({ success: true, results: [{ many: 1 }] });
  expect(await cli.run(["tenants", "delete", "initech", "--yes"])).toMatchObject({ code: 0 });
  expect((await fetch(`${url}/t/initech/schema`)).status).toBe(404);

  const ended = Promise.withResolvers<number | null>();
  server.once("close", ended.resolve);
  server.kill("SIGTERM");
  expect(await ended.promise).toBe(0);
  expect(lines).toHaveLength(1);
});

test("serve refuses an address that others reach while there is no key", async () => {
  await using cli = await cliFolder();
  const refused = await cli.run(["serve", "--host", "0.0.0.0", "--port", "0"]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("tenantry token create --scope admin");
});

test("without Litestream the server serves, and says everywhere that nothing is backed up", async () => {
  await using cli = await cliFolder({
    TENANTRY_PORT: "0",
    TENANTRY_EXECUTORS: "0",
    LITESTREAM_BIN: "/nowhere/litestream",
  });
  const replica = `file://${cli.dir}/replica`;
  const server = cli.start(["serve", "--replica", replica]);
  const said: string[] = [];
  createInterface({ input: server.stderr! }).on("line", (each) => said.push(each));
  const { promise: line, resolve } = Promise.withResolvers<string>();
  createInterface({ input: server.stdout! }).on("line", resolve);
  const url = /(http:\/\/\S+)$/.exec(await line)?.[1];
  expect(said.join("\n")).toContain("Backups are OFF: There is no Litestream");
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
    status: "ready",
    backups: { state: "off", reason: expect.stringContaining("There is no Litestream") as string },
  });
  const doctor = await cli.run(["doctor", "--replica", replica]);
  expect(doctor.stdout).toContain("Backups cannot be made: There is no Litestream");
  const ended = Promise.withResolvers<number | null>();
  server.once("close", ended.resolve);
  server.kill("SIGTERM");
  expect(await ended.promise).toBe(0);
});
