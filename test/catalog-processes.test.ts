// Holds: several processes share a catalog; exactly one creates a tenant, and one that is killed leaves nothing.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { type CatalogFile, catalogFile, collect, tenant, tenantIds } from "./catalog-file.ts";

const PROGRAM = join(import.meta.dirname, "fixtures", "catalog-process", "create.ts");

function creator(file: CatalogFile): ChildProcess {
  const child = fork(PROGRAM, [file.path]);
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** What a process says next; it fails when the process ends without a word. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`It ended with ${code}.`)));
  const [answer] = await Promise.race([once(child, "message"), ended]);
  return answer;
}

test("processes that begin together bring the schema up once, and one of them creates each tenant", async () => {
  const file = await catalogFile();
  const ids = tenantIds(300);
  const children = [creator(file), creator(file), creator(file)];
  expect(await Promise.all(children.map(answerOf))).toEqual(["ready", "ready", "ready"]);
  const { catalog, handle } = await file.open();

  const answers = Promise.all(children.map(answerOf));
  for (const child of children) child.send(ids);
  const outcomes = (await answers) as (string | null)[][];

  for (const [n, id] of ids.entries()) {
    const winners = outcomes.map((one) => one[n]).filter((incarnation) => incarnation !== null);
    expect(winners).toEqual([(await catalog.get(id))?.incarnation]);
  }
  expect(await catalog.count()).toMatchObject({ active: 300 });
  expect(await collect(catalog.iterate())).toHaveLength(300);
  const { rows } = await handle.run({ sql: "SELECT id FROM catalog_migrations ORDER BY id", params: [] });
  expect(rows).toEqual(rows.map((_, n) => ({ id: n + 1 })));
  expect((await handle.run({ sql: "SELECT count(*) AS n FROM audit_log", params: [] })).rows).toEqual([
    { n: 300 },
  ]);
});

test("a creator that is killed half-way leaves no tenant and no lock", async () => {
  const file = await catalogFile();
  const child = creator(file);
  await answerOf(child);
  child.send(["stuck"]);
  expect(await answerOf(child)).toBe("provisioning");
  const { catalog } = await file.open();
  const stuck = parseTenantId("stuck");
  expect(await catalog.get(stuck, { deleted: true })).toBeUndefined();

  const creating = catalog.create(tenant("stuck"));
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  expect(await creating).toMatchObject({ id: "stuck", state: "active" });
  expect((await catalog.listAudit()).entries).toHaveLength(1);
});
