// Holds restores and snapshots over HTTP to being jobs that say how far they are, and the socket of the data
// folder to being its owner's alone.
import { mkdir, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test, vi } from "vitest";
import { RunningServer } from "../src/cli/running-server.ts";
import { controlPath, listenForCommands } from "../src/http/control-socket.ts";
import type { Job } from "../src/backups/jobs.ts";
import { expectError, runningServer, type RunningTestServer, valueOf } from "./support/running-server.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { tempFolder } from "./support/temp-folder.ts";

const COUNT = "SELECT count(*) FROM customers";

async function ended(server: RunningTestServer, path: string): Promise<Job> {
  return vi.waitFor(
    async () => {
      const { body } = await server.send("GET", path);
      expect((body as Job).state).not.toBe("running");
      return body as Job;
    },
    { timeout: 30_000 },
  );
}

test("a restore is a job with an end, and its error is the one that a request would have got", async () => {
  const server = await runningServer();
  await server.query("acme", "INSERT INTO customers (name) VALUES ('kept')");
  const snapshot = await server.send("POST", "/admin/tenants/acme/snapshots");
  expect(snapshot.status).toBe(201);
  const { name } = snapshot.body as { name: string };
  expect((await server.send("GET", "/admin/tenants/acme/snapshots")).body).toMatchObject({
    snapshots: [{ name }],
  });
  await server.query("acme", "INSERT INTO customers (name) VALUES ('lost')");
  const dry = await server.send("POST", "/admin/tenants/acme/restore", { snapshot: "latest", dryRun: true });
  expect(dry.body).toMatchObject({ tenant: "acme", wouldRestore: { kind: "snapshot", name } });
  const started = await server.send("POST", "/admin/tenants/acme/restore", { snapshot: name });
  expect(started.status).toBe(202);
  const location = started.headers.get("location") ?? "";
  expect(await ended(server, location)).toMatchObject({
    kind: "restore",
    tenant: "acme",
    state: "done",
    phase: "done",
    result: { restored: { name }, tenant: { state: "active" } },
    error: null,
  });
  expect(valueOf(await server.query("acme", COUNT))).toBe(1);
  const failing = await server.send("POST", "/admin/tenants/acme/restore", { latest: true });
  expect(await ended(server, failing.headers.get("location") ?? "")).toMatchObject({
    state: "failed",
    error: { code: "BACKUPS_UNAVAILABLE" },
  });
  const { body } = await server.send("GET", "/admin/jobs");
  expect((body as { jobs: Job[] }).jobs.map(({ state }) => state)).toEqual(["failed", "done"]);
  const all = await server.send("POST", "/admin/snapshots", { keep: 1 });
  expect(await ended(server, all.headers.get("location") ?? "")).toMatchObject({
    result: { taken: 1, removed: 1 },
  });
});

test("what makes no sense, names files, or comes without the right is refused", async () => {
  const server = await runningServer();
  const restore = (body: unknown) => server.send("POST", "/admin/tenants/acme/restore", body);
  expectError(await restore({}), "INVALID_ARGUMENT");
  expectError(await restore({ latest: true, undo: true }), "INVALID_ARGUMENT");
  expectError(await restore({ at: "yesterday" }), "INVALID_ARGUMENT");
  expectError(await restore({ snapshot: "../../../etc/passwd" }), "INVALID_ARGUMENT");
  expectError(await restore({ latest: true, to: "No Tenant" }), "INVALID_TENANT_ID");
  expectError(await restore({ file: "/etc/passwd" }), "FORBIDDEN");
  expectError(await server.send("GET", "/admin/jobs/none"), "NOT_FOUND");
  const key = await server.send("POST", "/admin/keys", { scope: "write", tenant: "acme" });
  const authorization = { authorization: `Bearer ${(key.body as { secret: string }).secret}` };
  expectError(await server.send("GET", "/admin/jobs", undefined, authorization), "FORBIDDEN");
  expectError(await restore({ latest: true }), "UNAUTHENTICATED");
});

/** A server with a socket for command lines. */
async function withSocket(): Promise<{ server: RunningTestServer; path: string }> {
  const data = join(await tempFolder(), "d");
  const server = await runningServer({ data, tenants: ["acme"] });
  const socket = await listenForCommands(data, server.control.fetch);
  onTestFinished(() => socket?.close());
  return { server, path: controlPath(data) ?? "" };
}

test("a command line works through the server of its folder, under its own name, keys or not", async () => {
  const { server, path } = await withSocket();
  await server.send("POST", "/admin/keys", { scope: "admin" });
  expectError(await server.send("GET", "/admin/jobs"), "UNAUTHENTICATED");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(path, ".."))).mode & 0o777).toBe(0o700);
  const running = await RunningServer.find(server.data, "cli jürgen");
  await running?.ask("POST", "/admin/tenants/acme/snapshots");
  const file = join(
    server.data,
    "snapshots/acme",
    `${(await server.tenantry.recovery.snapshots.list("acme" as never))[0]?.name}.db`,
  );
  const phases: string[] = [];
  const job = await running?.ask<Job>("POST", "/admin/tenants/acme/restore", { file });
  const result = await running?.follow(job!, (phase) => phases.push(phase));
  expect(result).toMatchObject({ restored: { kind: "file" } });
  const { entries } = await server.tenantry.catalog.listAudit({ limit: 1 });
  expect(entries[0]).toMatchObject({ actor: "cli jürgen", action: "tenant.restore" });
  await expect(
    running
      ?.ask("POST", "/admin/tenants/nobody/restore", { undo: true })
      .then((one) => running.follow(one as Job, () => {})),
  ).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
});

test("the socket answers nothing but administration, and no server means none is found", async () => {
  const { server, path } = await withSocket();
  const { promise, resolve } = Promise.withResolvers<string>();
  request({ socketPath: path, path: "/t/acme/schema" }, (answer) => void text(answer).then(resolve)).end();
  expect(await promise).toMatch(/NOT_FOUND/);
  const dir = await tempFolder();
  expect(await RunningServer.find(dir, "cli")).toBeUndefined();
  // What a killed server left, and what is no socket at all.
  await mkdir(join(dir, "control"));
  await writeFile(join(dir, "control/server.sock"), "");
  expect(await RunningServer.find(dir, "cli")).toBeUndefined();
  const socket = await listenForCommands(dir, () => Response.json({}));
  expect(socket).toBeDefined();
  // A second server of a folder leaves it to the first.
  expect(await listenForCommands(dir, () => Response.json({}))).toBeUndefined();
  await socket?.close();
  await socket?.close();
  const late = connect(path);
  late.end();
  expect(server.internalErrors).toEqual([]);
  const deep = join(dir, "x".repeat(120));
  expect(await listenForCommands(deep, () => Response.json({}))).toBeUndefined();
});

test("a drill that failed is said by /readyz and /metrics, until one passes", async () => {
  const server = await runningServer();
  const { catalog } = server.tenantry;
  const ready = async (): Promise<unknown> => (await server.send("GET", "/readyz")).body;
  const failed = async (): Promise<unknown> =>
    /^tenantry_backups_failed_drills (\d+)$/m.exec((await server.send("GET", "/metrics")).text)?.[1];
  expect(await ready()).not.toHaveProperty("alarms");
  const record = await catalog.get(parseTenantId("acme"));
  await catalog.backups.verified(record!, "The table customers came back with other content than it has.");
  // Names nobody: it is open to everybody.
  expect(await ready()).toMatchObject({ status: "ready", alarms: { failedDrills: 1 } });
  expect(await failed()).toBe("1");
  await catalog.backups.verified(record!, null);
  expect(await ready()).not.toHaveProperty("alarms");
  expect(await failed()).toBe("0");
});
