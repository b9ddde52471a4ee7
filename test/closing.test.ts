// Holds closing to finishing what runs, to closing all of it, and to letting the process end.
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry } from "../src/tenantry.ts";
import { turn, until } from "./support/counting-handles.ts";
import { OtherProcess } from "./support/other-process.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

test("waits for what runs, refuses what comes, and leaves no log behind", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "idle"] });
  await addNote(tenantry, "idle", "a");
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  const running = tenantry.database("acme").transaction("write", async (tx) => {
    await tx.prepare("INSERT INTO notes (body) VALUES ('kept')").run();
    begin();
    await mayEnd;
  });
  await begun;
  const closed = tenantry.close(60_000);
  await expect(notesOf(tenantry, "idle")).rejects.toMatchObject({ code: "CLOSED" });
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({ code: "CLOSED" });
  await turn();
  end();
  await running;
  await closed;
  await tenantry.close();
  const names = await readdir(tenantry.driver.dir, { recursive: true });
  expect(names.filter((name) => /-(?:wal|shm|journal)$/.test(name))).toEqual([]);
  const again = await tempTenantry({ data: tenantry.driver.dir });
  expect(await notesOf(again, "acme")).toEqual(["kept"]);
});

test("rolls back what does not end in its grace, and a lease that comes late does no harm", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const lease = await tenantry.tenants.lease(ACME);
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  const running = tenantry.database("acme").transaction("write", async (tx) => {
    await tx.prepare("INSERT INTO notes (body) VALUES ('lost')").run();
    begin();
    await mayEnd;
  });
  await begun;
  await tenantry.close(5);
  end();
  await expect(running).rejects.toMatchObject({ name: "TenantryError", tenant: "acme" });
  lease.release();
  const again = await tempTenantry({ data: tenantry.driver.dir });
  await addNote(again, "acme", "first");
  expect(await notesOf(again, "acme")).toEqual(["first"]);
});

test("a creation that meets the end leaves nothing behind", async () => {
  const tenantry = await tempTenantry({ tenants: ["first"] });
  const creations = Array.from({ length: 10 }, (_, n) => tenantry.lifecycle.create(parseTenantId(`t${n}`)));
  const outcomes = Promise.allSettled(creations);
  await tenantry.close();
  const created = (await outcomes).filter(({ status }) => status === "fulfilled").length;
  const again = await tempTenantry({ data: tenantry.driver.dir });
  expect((await again.catalog.count()).active).toBe(created + 1);
  expect(await readdir(join(tenantry.driver.dir, "scratch"))).toEqual([]);
});

test("a process that forgets to close ends all the same", async () => {
  const program = `
    import { createTenantry } from ${JSON.stringify(new URL("../src/tenantry.ts", import.meta.url).href)};
    const tenantry = await createTenantry({ data: process.argv[1] });
    await tenantry.lifecycle.create("acme");
    await tenantry.database("acme").exec("CREATE TABLE t (a)");
    await tenantry.database("acme").transaction("write", (tx) => tx.prepare("INSERT INTO t VALUES (1)").run());
    console.log("done");`;
  const args = ["--input-type=module-typescript", "--eval", program, await tempFolder()];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000 });
  expect(stdout).toBe("done\n");
});

test("await using closes it", async () => {
  const data = await tempFolder();
  {
    await using tenantry = await createTenantry({ data });
    await tenantry.lifecycle.create(ACME);
    await tenantry.database("acme").exec("CREATE TABLE t (a)");
  }
  expect((await readdir(data)).filter((name) => name.startsWith("catalog"))).toEqual(["catalog.db"]);
});

test("a tenant that another process suspends while it is opened here is let go, not kept", async () => {
  const data = await tempFolder();
  const tenantry = await tempTenantry({ data, tenants: ["acme"], watchMs: 5 });
  const other = new OtherProcess(data, { watchMs: 5 });
  await other.do("stats");
  for (let n = 0; n < 10; n++) {
    const suspended = other.do("suspend", "acme");
    // Opens it again and again while the other process takes it away.
    const stopped = { yes: false };
    const opening = (async () => {
      while (!stopped.yes) {
        await notesOf(tenantry, "acme").catch(async (error: unknown) => {
          expect(error).toMatchObject({ code: "TENANT_SUSPENDED" });
          await turn();
        });
      }
    })();
    await suspended;
    stopped.yes = true;
    await opening;
    await until(() => tenantry.tenants.stats().open === 0);
    await other.do("resume", "acme");
    await notesOf(tenantry, "acme");
  }
});
