// Kysely over a tenant's database by kysely-d1, with an interactive transaction, which D1 itself has not.
//   node examples/kysely-d1/main.ts [data folder]
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ColumnType, type CompiledQuery, type Generated, Kysely } from "kysely";
import { D1Dialect } from "kysely-d1";
// In a project of your own: from "tenantry".
import {
  createTenantry,
  parseTenantId,
  type TenantDatabase,
  type TenantTransaction,
} from "../../src/index.ts";

interface Schema {
  customers: {
    id: Generated<number>;
    name: string;
    email: string;
    country: string;
    created_at: ColumnType<string, never, never>;
  };
  invoices: {
    id: Generated<number>;
    customer_id: number;
    number: string;
    status: "draft" | "open" | "paid";
    currency: string;
    issued_on: string;
    due_on: string;
  };
  payments: {
    id: Generated<number>;
    invoice_id: number;
    amount_cents: number;
    method: "card";
    paid_on: string;
  };
}

function kysely(database: TenantDatabase): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new D1Dialect({ database }) });
}

/** Runs what Kysely has built as a statement of a transaction. */
function run<Row>(
  tx: TenantTransaction,
  { sql, parameters }: CompiledQuery<Row>,
): Promise<{ results: Row[] }> {
  return tx
    .prepare(sql)
    .bind(...parameters)
    .all<Row>();
}

/** Reads, decides and writes in one transaction: nobody else can pay the same invoice meanwhile. */
function pay(database: TenantDatabase, number: string, cents: number): Promise<string> {
  const build = kysely(database);
  return database.transaction("write", async (tx) => {
    const found = await run(
      tx,
      build.selectFrom("invoices").select(["id", "status"]).where("number", "=", number).compile(),
    );
    const invoice = found.results[0];
    if (!invoice) return `there is no invoice ${number}`;
    if (invoice.status === "paid") return `${number} was paid before`;
    const payment = {
      invoice_id: invoice.id,
      amount_cents: cents,
      method: "card",
      paid_on: "2026-02-01",
    } as const;
    await run(tx, build.insertInto("payments").values(payment).compile());
    await run(
      tx,
      build.updateTable("invoices").set({ status: "paid" }).where("id", "=", invoice.id).compile(),
    );
    return `${number} is paid`;
  });
}

const data = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "tenantry-")));
const migrations = join(import.meta.dirname, "../../migrations");

await using tenantry = await createTenantry({ data, migrations });
await tenantry.lifecycle.create(parseTenantId("acme"));
const database = tenantry.database("acme");
const db = kysely(database);

const inserted = await db
  .insertInto("customers")
  .values({ name: "Lind", email: "office@lind.example", country: "DE" })
  .executeTakeFirstOrThrow();
console.log("inserted:", Number(inserted.insertId), "rows:", Number(inserted.numInsertedOrUpdatedRows) > 0);

const invoice = await db
  .insertInto("invoices")
  .values({
    customer_id: Number(inserted.insertId),
    number: "2026-001",
    status: "open",
    currency: "EUR",
    issued_on: "2026-01-15",
    due_on: "2026-02-14",
  })
  .returning(["id", "number"])
  .executeTakeFirstOrThrow();
console.log("invoice:", JSON.stringify(invoice));

const attempts = [pay(database, "2026-001", 11_900), pay(database, "2026-001", 11_900)];
console.log("paying twice at once:", (await Promise.all(attempts)).join("; "));

const rows = await db
  .selectFrom("invoices")
  .innerJoin("customers", "customers.id", "invoices.customer_id")
  .leftJoin("payments", "payments.invoice_id", "invoices.id")
  .select(["customers.name", "invoices.number", "invoices.status", "payments.amount_cents"])
  .execute();
console.log("invoices:", JSON.stringify(rows));

const tables = await db.introspection.getTables();
console.log(
  "tables:",
  tables
    .filter(({ name }) => name in { customers: 1, invoices: 1 })
    .map(({ name }) => name)
    .join(", "),
);
