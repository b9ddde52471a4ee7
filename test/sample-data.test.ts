import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { LocalHandle } from "../src/drivers/local/local-handle.ts";
import { migrateDatabase } from "../src/migrations/index.ts";
import { readMigrations } from "../src/migrations/read-migrations.ts";
import { MAX_SAMPLE_PARAMETERS, sampleStatements, sampleTenants } from "../src/sample/sample-data.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { openDatabase, rowsOf, valueOf } from "./migration-folder.ts";

const ids = [...sampleTenants().map(({ id }) => id), "somebody-else"];

describe("the sample tenants", () => {
  it("are three, with ids that are tenant ids", () => {
    expect(sampleTenants().map(({ id }) => parseTenantId(id))).toEqual(["acme", "globex", "initech"]);
  });

  it("have the same rows every time, and not each other's", () => {
    for (const id of ids) expect(sampleStatements(id)).toEqual(sampleStatements(id));
    const all = ids.map((id) => JSON.stringify(sampleStatements(id)));
    expect(new Set(all).size).toBe(ids.length);
  });

  it("stay within D1's parameters of one statement", () => {
    for (const { sql, params } of ids.flatMap(sampleStatements)) {
      expect(params.length).toBeLessThanOrEqual(MAX_SAMPLE_PARAMETERS);
      expect(sql.split("?").length - 1).toBe(params.length);
    }
  });
});

/** A new database of the sample schema, with the data of `id`. */
async function filled(id: string): Promise<LocalHandle> {
  const handle = await openDatabase();
  await migrateDatabase(handle, await readMigrations(join(import.meta.dirname, "..", "migrations")));
  await handle.batch(sampleStatements(id));
  return handle;
}

describe.each(ids)("the data of %s", (id) => {
  it("is a few hundred rows that keep every rule of the schema", async () => {
    const handle = await filled(id);
    const counts = await rowsOf(
      handle,
      `SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM invoices) AS invoices,
        (SELECT count(*) FROM invoice_lines) AS lines, (SELECT count(*) FROM payments) AS payments`,
    );
    expect(counts[0]).toEqual({
      customers: 48,
      invoices: 140,
      lines: expect.toSatisfy((count: number) => count > 250),
      payments: expect.toSatisfy((count: number) => count > 80),
    });
    expect(await rowsOf(handle, "PRAGMA foreign_key_check")).toEqual([]);
    expect(await rowsOf(handle, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  });

  it("adds up", async () => {
    const handle = await filled(id);
    const wrong = await rowsOf(
      handle,
      `SELECT id, status, total_cents, paid_cents, balance_cents FROM invoice_totals
       WHERE total_cents <= 0 OR balance_cents < 0 OR total_cents <> subtotal_cents + tax_cents
          OR (status = 'paid') <> (balance_cents = 0)
          OR (status IN ('draft', 'void') AND paid_cents <> 0)`,
    );
    expect(wrong).toEqual([]);
    expect(await valueOf(handle, "SELECT sum(quantity * unit_price_cents) FROM invoice_lines")).toBe(
      await valueOf(handle, "SELECT sum(subtotal_cents) FROM invoice_totals"),
    );
  });

  it("has every status, overdue invoices, and nothing from after its own today", async () => {
    const handle = await filled(id);
    const statuses = await rowsOf(handle, "SELECT DISTINCT status FROM invoices ORDER BY status");
    expect(statuses.map(({ status }) => status)).toEqual(["draft", "open", "paid", "uncollectible", "void"]);
    expect(
      await valueOf(handle, "SELECT count(*) FROM invoices WHERE status = 'open' AND due_on < '2026-10-31'"),
    ).toBeGreaterThan(0);
    expect(
      await rowsOf(
        handle,
        `SELECT payments.id FROM payments JOIN invoices ON invoices.id = invoice_id
         WHERE paid_on < issued_on OR paid_on > '2026-10-31' OR issued_on > '2026-10-31'`,
      ),
    ).toEqual([]);
  });

  it("can be searched", async () => {
    const handle = await filled(id);
    const customer = (await rowsOf(handle, "SELECT id, email FROM customers LIMIT 1"))[0]!;
    const found = await rowsOf(
      handle,
      "SELECT rowid AS id FROM customer_search(?)",
      `"${String(customer["email"])}"`,
    );
    expect(found).toEqual([{ id: customer["id"] }]);
    await handle.exec("INSERT INTO customer_search (customer_search, rank) VALUES ('integrity-check', 1)");
    await handle.exec("INSERT INTO invoice_search (invoice_search, rank) VALUES ('integrity-check', 1)");
  });
});
