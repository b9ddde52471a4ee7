// Owns the proof that the examples run as their first lines say, by what they print.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

/** What `node examples/<name>/main.ts` prints; fails unless it ends by itself, with status 0 and no warning. */
async function run(name: string): Promise<string[]> {
  const data = await mkdtemp(join(tmpdir(), "tenantry-"));
  onTestFinished(() => rm(data, { recursive: true }));
  const file = join(import.meta.dirname, "../examples", name, "main.ts");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file, data]);
  expect(stderr).toBe("");
  return stdout.trimEnd().split("\n");
}

test("Drizzle's D1 driver runs on a tenant's database", async () => {
  expect(await run("drizzle-d1")).toEqual([
    'acme: [{"name":"Lind","invoices":[{"number":"2026-001","status":"open"},{"number":"2026-002","status":"open"}]},{"name":"Moreau","invoices":[{"number":"2026-003","status":"open"}]}]',
    'paid: [{"number":"2026-001"}]',
    'by status: [{"status":"open","count":2},{"status":"paid","count":1}]',
    "refused: UNIQUE constraint failed: customers.email",
    "acme has 2 customers, globex has 0",
  ]);
});

test("kysely-d1 runs on a tenant's database, in a transaction too", async () => {
  expect(await run("kysely-d1")).toEqual([
    "inserted: 1 rows: true",
    'invoice: {"id":1,"number":"2026-001"}',
    "paying twice at once: 2026-001 is paid; 2026-001 was paid before",
    'invoices: [{"name":"Lind","number":"2026-001","status":"paid","amount_cents":11900}]',
    "tables: customers, invoices",
  ]);
});

test("synchronous Drizzle runs on a tenant's raw handle", async () => {
  expect(await run("drizzle-sync")).toEqual([
    "added: 1000",
    "rolled back: changed my mind",
    'by country: [{"country":"DE","count":667},{"country":"FR","count":333}]',
    "customer 1000: Customer 1000",
  ]);
});
