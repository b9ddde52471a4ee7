// Owns which migrations the Worker has: there is no folder to read where it runs, so each file is named here.
// The same files serve `tenantry serve` and `wrangler d1 migrations apply`.
import customers from "../migrations/0001_customers.sql";
import invoices from "../migrations/0002_invoices.sql";
import payments from "../migrations/0003_payments.sql";
import search from "../migrations/0004_search.sql";

export const MIGRATIONS = [
  { name: "0001_customers.sql", sql: customers },
  { name: "0002_invoices.sql", sql: invoices },
  { name: "0003_payments.sql", sql: payments },
  { name: "0004_search.sql", sql: search },
];
