// Owns the two sides of benchmark 18: a statement in a tenant's object through Tenantry, and the same statement in an
// object that does nothing but run it. Measures nothing: edge.ts does, from outside.
import { DurableObject } from "cloudflare:workers";
import {
  durableObjectDriver,
  objectDatabase,
  type ObjectNamespace,
} from "../../src/driver-durable-object.ts";
import { migrationSet, parseTenantId, tenantryWorker } from "../../src/worker.ts";

export { TenantObject } from "../../src/driver-durable-object.ts";

const SCHEMA = "CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT)";
const FILL =
  "INSERT INTO customers (name, city) SELECT 'Customer ' || value, 'City ' || value FROM json_each(?)";
const STATEMENTS = {
  read: { sql: "SELECT id, name, city FROM customers WHERE id = ?", params: [500] },
  write: { sql: "UPDATE customers SET city = ? WHERE id = ?", params: ["Elsewhere", 500] },
} as const;

interface Sql {
  exec(sql: string, ...params: unknown[]): { toArray(): unknown[] };
}

/** What somebody writes by hand. */
export class BareObject extends DurableObject {
  async query(sql: string, params: readonly unknown[]): Promise<unknown[]> {
    return (this.ctx.storage as { sql: Sql }).sql.exec(sql, ...params).toArray();
  }
}

interface Env {
  readonly TENANTS: ObjectNamespace;
  readonly BARE: ObjectNamespace;
}

const numbers = JSON.stringify(Array.from({ length: 1000 }, (_, n) => n));

const tenantry = tenantryWorker<Env>(async ({ TENANTS: namespace, BARE }) => ({
  driver: durableObjectDriver({ namespace }),
  catalog: objectDatabase({ namespace }),
  migrations: await migrationSet([{ name: "0001_customers.sql", sql: SCHEMA }]),
  mount: (made) => {
    const db = made.database("acme");
    // A stub is its request's own, as with us.
    const bare = (): BareObject => BARE.get(BARE.idFromName("acme")) as BareObject;
    return {
      async fetch(request) {
        const url = new URL(request.url);
        if (url.pathname === "/prepare") {
          await made.lifecycle.create(parseTenantId("acme"));
          await db.prepare(FILL).bind(numbers).run();
          await bare().query(SCHEMA, []);
          await bare().query(FILL, [numbers]);
          return new Response("ready");
        }
        const { sql, params } = STATEMENTS[url.searchParams.get("statement") as keyof typeof STATEMENTS];
        const ours = url.pathname === "/ours";
        const one = (): Promise<unknown> =>
          ours
            ? db
                .prepare(sql)
                .bind(...params)
                .all()
            : bare().query(sql, params);
        const times = Number(url.searchParams.get("times"));
        const atOnce = Number(url.searchParams.get("atOnce"));
        for (let done = 0; done < times; done += atOnce) {
          await Promise.all(Array.from({ length: atOnce }, one));
        }
        return new Response("done");
      },
    };
  },
}));

export default tenantry;
