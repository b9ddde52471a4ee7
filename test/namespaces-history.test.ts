// Holds: where tenants are replicated, libSQL's administrative API forks a tenant as it was at a moment, and deletes
// it with or without its backups.
import { join } from "node:path";
import { expect } from "vitest";
import { openObjectStore } from "../src/backups/open-object-store.ts";
import { parseReplicaUrl } from "../src/backups/replica-url.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { scratchFolder, until, untilReplicated, withLitestream } from "./backups-litestream.ts";
import { type Answer, runningServer, type RunningTestServer } from "./support/running-server.ts";

const v1 = (server: RunningTestServer, method: string, path: string, body?: unknown): Promise<Answer> =>
  server.send(method, `/v1/namespaces${path}`, body);
const add = (name: string): string => `INSERT INTO customers (name) VALUES ('${name}')`;

async function names(server: RunningTestServer, tenant: string): Promise<string[]> {
  const { body } = await server.query(tenant, "SELECT name FROM customers ORDER BY id");
  return body.results.map(({ name }: { name: string }) => name);
}

async function replicated(executors?: { readonly executors: number }): Promise<{
  readonly server: RunningTestServer;
  readonly objects: (tenant: string) => Promise<number>;
}> {
  const replica = `file://${join(await scratchFolder(), "replica")}`;
  const server = await runningServer({ tenantry: { replica }, ...(executors && { executors }) });
  await untilReplicated(await server.tenantry.backups({ pollMs: 20 }), parseTenantId("acme"));
  const store = await openObjectStore(parseReplicaUrl(replica));
  return {
    server,
    objects: async (tenant) => {
      let count = 0;
      for await (const { key } of store.list(`default/${tenant}/`)) count += key === "" ? 0 : 1;
      return count;
    },
  };
}

/** What the replica keeps is told apart by seconds. @returns libSQL's way to write the moment, without a zone */
async function nextSecond(): Promise<string> {
  const began = Math.floor(Date.now() / 1000);
  await until("the second is over", () => Math.floor(Date.now() / 1000) > began + 1);
  return new Date((began + 1) * 1000).toISOString().slice(0, 19);
}

for (const executors of [undefined, { executors: 1 }]) {
  withLitestream(
    `a fork is of the moment that is named, set as its source, ${executors ? "with" : "without"} executors`,
    async () => {
      const { server } = await replicated(executors);
      await server.send("PATCH", "/admin/tenants/acme", { maxBytes: 1_000_000, durability: "replicated" });
      await server.query("acme", add("before"), [], { "idempotency-key": "k" });
      const moment = await nextSecond();
      await server.query("acme", add("after"));
      const forked = await v1(server, "POST", "/acme/fork/then", { timestamp: moment });
      expect([forked.status, forked.text]).toEqual([200, ""]);
      expect(await names(server, "then")).toEqual(["before"]);
      expect((await server.send("GET", "/admin/tenants/then")).body).toMatchObject({ maxBytes: 1_000_000 });
      // The copy's keys are its own, as those of a fork of this moment.
      await server.query("then", add("its own"), [], { "idempotency-key": "k" });
      expect(await names(server, "then")).toEqual(["before", "its own"]);
      expect(await names(server, "acme")).toEqual(["before", "after"]);
      for (const [to, timestamp, code] of [
        ["then", `${moment}Z`, "TENANT_EXISTS"],
        ["early", "2020-01-01T00:00:00", "REPLICA_RANGE"],
        ["odd", "2026-13-01T00:00:00", "INVALID_ARGUMENT"],
        ["odd", "yesterday", "INVALID_ARGUMENT"],
        ["odd", "2026-11-22T10:00:00+02:00", "INVALID_ARGUMENT"],
      ]) {
        const refused = await v1(server, "POST", `/acme/fork/${to}`, { timestamp });
        expect(refused.body, timestamp).toMatchObject({ code, error: refused.body.message });
      }
      expect((await v1(server, "POST", "/nobody/fork/odd", { timestamp: moment })).body).toMatchObject({
        code: "TENANT_NOT_FOUND",
      });
      expect(await server.scratchFiles()).not.toContainEqual(expect.stringMatching(/\.db/));
    },
  );
}

withLitestream("a deletion keeps the backups, or takes them along, as its caller says", async () => {
  const { server, objects } = await replicated();
  const { restores } = server.tenantry.recovery;
  await server.query("acme", add("kept"));
  expect((await v1(server, "DELETE", "/acme", { keep_backup: true })).status).toBe(200);
  await restores.toNew(parseTenantId("acme"), parseTenantId("again"), { kind: "replica" });
  expect(await names(server, "again")).toEqual(["kept"]);

  // Nothing is said of the backups: nothing is done to them.
  await server.query("again", add("too"));
  await server.send("PATCH", "/admin/tenants/again", { durability: "replicated" });
  await server.query("again", add("there"));
  expect((await v1(server, "DELETE", "/again")).status).toBe(200);
  expect(await objects("again")).toBeGreaterThan(0);

  expect((await v1(server, "POST", "/again/create", {})).status).toBe(200);
  await server.tenantry.recovery.snapshots.take(parseTenantId("again"));
  expect((await v1(server, "DELETE", "/again", { keep_backup: false })).status).toBe(200);
  expect(await objects("again")).toBe(0);
  expect(await objects("acme")).toBeGreaterThan(0);
  expect(await server.tenantry.recovery.snapshots.list(parseTenantId("again"))).toEqual([]);
  expect((await v1(server, "DELETE", "/again", { keep_backup: true })).body).toMatchObject({
    code: "TENANT_NOT_FOUND",
  });
});

withLitestream("what cannot be backed up is not deleted by who wants it kept", async () => {
  const replica = `file://${join(await scratchFolder(), "replica")}`;
  const server = await runningServer({ tenantry: { replica } });
  await server.query("acme", add("here"));
  // Nobody replicates.
  expect((await v1(server, "DELETE", "/acme", { keep_backup: true })).body).toMatchObject({
    code: "BACKUPS_UNAVAILABLE",
  });
  expect(await names(server, "acme")).toEqual(["here"]);
});
