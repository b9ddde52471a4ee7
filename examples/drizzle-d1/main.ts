// Drizzle over a tenant's database by its D1 driver: the code that runs on Cloudflare D1 runs here unchanged.
//   node examples/drizzle-d1/main.ts [data folder]
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
// In a project of your own: from "tenantry".
import { createTenantry, parseTenantId, type TenantDatabase } from "../../src/index.ts";

const customers = sqliteTable("customers", {
  id: integer().primaryKey(),
  name: text().notNull(),
  email: text().notNull(),
  country: text().notNull(),
  currency: text().notNull().default("EUR"),
});
const invoices = sqliteTable("invoices", {
  id: integer().primaryKey(),
  customerId: integer("customer_id")
    .notNull()
    .references(() => customers.id),
  number: text().notNull(),
  status: text({ enum: ["draft", "open", "paid", "void", "uncollectible"] }).notNull(),
  currency: text().notNull(),
  issuedOn: text("issued_on").notNull(),
  dueOn: text("due_on").notNull(),
});
const schema = {
  customers,
  invoices,
  customerRelations: relations(customers, ({ many }) => ({ invoices: many(invoices) })),
  invoiceRelations: relations(invoices, ({ one }) => ({
    customer: one(customers, { fields: [invoices.customerId], references: [customers.id] }),
  })),
};

/** Of Drizzle's two ways to write several things at once, D1 has the batch: all of it, or nothing. */
async function addCustomer(
  tenant: TenantDatabase,
  name: string,
  numbers: readonly string[],
): Promise<number> {
  const db = drizzle(tenant, { schema });
  const email = `office@${name.toLowerCase()}.example`;
  const added = await db
    .insert(customers)
    .values({ name, email, country: "DE" })
    .returning({ id: customers.id })
    .get();
  const rows = numbers.map((number) =>
    db.insert(invoices).values({
      customerId: added.id,
      number,
      status: "open",
      currency: "EUR",
      issuedOn: "2026-01-15",
      dueOn: "2026-02-14",
    }),
  );
  await db.batch([db.update(customers).set({ currency: "EUR" }).where(eq(customers.id, added.id)), ...rows]);
  return added.id;
}

const data = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "tenantry-")));
const migrations = join(import.meta.dirname, "../../migrations");

await using tenantry = await createTenantry({ data, migrations });
await tenantry.lifecycle.create(parseTenantId("acme"));
await tenantry.lifecycle.create(parseTenantId("globex"));

const acme = drizzle(tenantry.database("acme"), { schema });
const globex = drizzle(tenantry.database("globex"), { schema });

await addCustomer(tenantry.database("acme"), "Lind", ["2026-001", "2026-002"]);
await addCustomer(tenantry.database("acme"), "Moreau", ["2026-003"]);

const withInvoices = await acme.query.customers.findMany({
  columns: { name: true },
  with: { invoices: { columns: { number: true, status: true } } },
  orderBy: customers.name,
});
console.log("acme:", JSON.stringify(withInvoices));

const paid = await acme
  .update(invoices)
  .set({ status: "paid" })
  .where(eq(invoices.number, "2026-001"))
  .returning({ number: invoices.number });
console.log("paid:", JSON.stringify(paid));

const byStatus = await acme
  .select({ status: invoices.status, count: sql<number>`count(*)` })
  .from(invoices)
  .groupBy(invoices.status)
  .orderBy(invoices.status);
console.log("by status:", JSON.stringify(byStatus));

await acme
  .batch([
    acme.insert(customers).values({ name: "Ito", email: "office@ito.example", country: "JP" }),
    acme.insert(customers).values({ name: "Lind", email: "OFFICE@lind.example", country: "DE" }),
  ])
  .catch((error: Error) =>
    console.log("refused:", (error.cause as Error | undefined)?.message ?? error.message),
  );
console.log(
  "acme has",
  await acme.$count(customers),
  "customers, globex has",
  await globex.$count(customers),
);
