// Synchronous Drizzle on the raw better-sqlite3 handle: the fastest way to many small statements, and real
// transactions without an await, for code that stays on this machine.
//   node examples/drizzle-sync/main.ts [data folder]
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { desc, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
// In a project of your own: from "tenantry".
import { createTenantry, parseTenantId } from "../../src/index.ts";

const customers = sqliteTable("customers", {
  id: integer().primaryKey(),
  name: text().notNull(),
  email: text().notNull(),
  country: text().notNull(),
});

const data = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "tenantry-")));
const migrations = join(import.meta.dirname, "../../migrations");

await using tenantry = await createTenantry({ data, migrations });
await tenantry.lifecycle.create(parseTenantId("acme"));

// The handle is leased while the function runs, and nobody else of this process writes meanwhile.
const added = await tenantry.withSqlite("acme", (sqlite) => {
  const db = drizzle({ client: sqlite });
  return db.transaction((tx) => {
    for (let n = 1; n <= 1000; n++) {
      tx.insert(customers)
        .values({ name: `Customer ${n}`, email: `customer${n}@example.com`, country: n % 3 ? "DE" : "FR" })
        .run();
    }
    return tx
      .select({ count: sql<number>`count(*)` })
      .from(customers)
      .get()?.count;
  });
});
console.log("added:", added);

const refused = await tenantry
  .withSqlite("acme", (sqlite) =>
    drizzle({ client: sqlite }).transaction((tx) => {
      tx.delete(customers).where(eq(customers.country, "FR")).run();
      throw new Error("changed my mind");
    }),
  )
  .catch((error: Error) => error.message);
console.log("rolled back:", refused);

const byCountry = await tenantry.withSqlite("acme", (sqlite) => {
  const count = sql<number>`count(*)`;
  return drizzle({ client: sqlite })
    .select({ country: customers.country, count })
    .from(customers)
    .groupBy(customers.country)
    .orderBy(desc(count))
    .all();
});
console.log("by country:", JSON.stringify(byCountry));

// What was written so is read by everybody else, here by D1's API.
const one = await tenantry
  .database("acme")
  .prepare("SELECT name FROM customers WHERE id = ?")
  .bind(1000)
  .first("name");
console.log("customer 1000:", one);
