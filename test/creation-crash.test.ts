// Holds creation to leaving no tenant or a whole one, wherever its process is killed, and to one winner.
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { OtherProcess } from "./support/other-process.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

test.for(["staged", "in place"] as const)("killed when it is %s, there is no tenant", async (point) => {
  const data = await tempFolder();
  const other = new OtherProcess(data);
  await other.doUntil("createUpTo", 1, "acme", point);
  await other.kill();

  const tenantry = await tempTenantry({ data });
  expect(await tenantry.catalog.get(ACME)).toBeUndefined();
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  await tenantry.lifecycle.create(ACME);
  await addNote(tenantry, "acme", "works");
  expect(await notesOf(tenantry, "acme")).toEqual(["works"]);
  const orphans = await readdir(join(data, "orphans")).catch(() => []);
  expect(orphans).toHaveLength(point === "in place" ? 1 : 0);
});

test("killed when it is committed, there is a whole tenant", async () => {
  const data = await tempFolder();
  const other = new OtherProcess(data);
  await other.doUntil("createUpTo", 1, "acme", "committed");
  await other.kill();

  const tenantry = await tempTenantry({ data });
  expect(await tenantry.catalog.get(ACME)).toMatchObject({ id: "acme", state: "active" });
  await addNote(tenantry, "acme", "works");
  expect(await notesOf(tenantry, "acme")).toEqual(["works"]);
});

test("files that nobody knows of are moved aside as they are, never overwritten, never inherited", async () => {
  const tenantry = await tempTenantry();
  await tenantry.lifecycle.create(parseTenantId("other"));
  const path = tenantry.driver.files.pathOf(ACME);
  const folder = join(path, "..");
  await mkdir(folder, { recursive: true });
  for (const suffix of ["", "-wal", "-shm", "-journal"]) await writeFile(path + suffix, `stale${suffix}`);

  await tenantry.lifecycle.create(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
  const [orphan = ""] = await readdir(join(tenantry.driver.dir, "orphans"));
  const moved = await readdir(join(tenantry.driver.dir, "orphans", orphan));
  expect(moved.toSorted()).toEqual(["acme.db", "acme.db-journal", "acme.db-shm", "acme.db-wal"]);
  expect((await stat(join(tenantry.driver.dir, "orphans", orphan, "acme.db-wal"))).size).toBe(9);
});

test("of two processes that create the same tenant exactly one wins", async () => {
  const data = await tempFolder();
  const others = [new OtherProcess(data), new OtherProcess(data)];
  await Promise.all(others.map((other) => other.do("stats")));
  for (let n = 0; n < 20; n++) {
    const outcomes = await Promise.allSettled(others.map((other) => other.do("create", `t${n}`)));
    const won = outcomes.filter(({ status }) => status === "fulfilled");
    const lost = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(won).toHaveLength(1);
    expect(lost[0]?.reason).toMatchObject({ code: "TENANT_EXISTS" });
  }
  const tenantry = await tempTenantry({ data });
  await addNote(tenantry, "t7", "works");
  expect(await notesOf(tenantry, "t7")).toEqual(["works"]);
  // Whoever lost has taken away what it had prepared.
  expect(await readdir(join(data, "scratch"))).toEqual([]);
});

test("many at once, two of each id in one process, give one of each", async () => {
  const tenantry = await tempTenantry();
  const ids = Array.from({ length: 20 }, (_, n) => parseTenantId(`t${n}`));
  const outcomes = await Promise.allSettled([...ids, ...ids].map((id) => tenantry.lifecycle.create(id)));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(20);
  for (const id of ids) expect(await notesOf(tenantry, id)).toEqual([]);
});

test("a template that was tidied away is made anew", async () => {
  const tenantry = await tempTenantry({ tenants: ["first"] });
  const templates = (await readdir(tenantry.driver.dir)).filter((name) => name.startsWith("template-"));
  expect(templates).toHaveLength(1);
  for (const name of templates) await rm(join(tenantry.driver.dir, name));
  await tenantry.lifecycle.create(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
});
