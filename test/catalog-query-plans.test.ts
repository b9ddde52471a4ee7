// Holds: no statement of the catalog reads a whole table, however many tenants there are.
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { type Catalog, openCatalog } from "../src/catalog/index.ts";
import type { Handle, SqlRunner, Statement } from "../src/drivers/driver.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { catalogFile, collect, tenant } from "./catalog-file.ts";

/** Rows handed over as JSON are read from first to last, and so is the table of counts: one row a state. */
const MAY_BE_SCANNED = /^SCAN (?:tenant_counts|made|touched|migrated|used|json_each|CONSTANT ROW)\b/;

/** `runner`, with every statement that it is given put into `seen`. */
function watched<Runner extends SqlRunner>(runner: Runner, seen: Map<string, Statement>): Runner {
  const note = (statement: Statement): void => void seen.set(statement.sql, statement);
  return new Proxy(runner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...call: unknown[]) => {
        if (name === "run") note(call[0] as Statement);
        if (name === "batch") (call[0] as Statement[]).forEach(note);
        if (name === "transaction") {
          const fn = call[1] as (tx: SqlRunner) => Promise<unknown>;
          call[1] = (tx: SqlRunner) => fn(watched(tx, seen));
        }
        return value.apply(target, call) as unknown;
      };
    },
  });
}

/** Fills a catalog with tenants of few schemas and states, without asking it one by one. */
function fill(path: string, tenants: number, then = ""): void {
  const db = new Database(path);
  db.exec(`
    WITH RECURSIVE n (i) AS (SELECT 1 WHERE ${tenants} > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${tenants})
    INSERT INTO tenants (id, incarnation, state, driver, shard, schema_version, schema_hash, size_bytes,
      created_at, updated_at)
    SELECT printf('t%07d', i), lower(hex(randomblob(16))),
      CASE WHEN i % 100 = 0 THEN 'suspended' WHEN i % 10 = 1 THEN 'deleted' ELSE 'active' END,
      'local', 'local', '0001', CASE WHEN i % 1000 = 0 THEN 'old' ELSE 'new' END, 4096, 1, 1
    FROM n;
    INSERT INTO aliases SELECT id || '.test', id, 1 FROM tenants WHERE state = 'active';
    INSERT INTO api_keys (id, hash, tenant, scope, label, created_at)
      SELECT lower(hex(randomblob(16))), lower(hex(randomblob(32))), id, 'read', '', 1 FROM tenants;
    INSERT INTO audit_log (at, actor, action, tenant, detail) SELECT 1, 'x', 'tenant.create', id, '{}' FROM tenants;
    ${then};
  `);
  db.close();
}

/** Calls everything that a catalog can do. */
async function useAll(catalog: Catalog): Promise<void> {
  const acme = parseTenantId("acme");
  await catalog.create(tenant("acme"));
  await catalog.get(acme, { fresh: true });
  await catalog.get(acme, { deleted: true });
  await catalog.getMany([acme]);
  await catalog.update(acme, { sizeBytes: 1 });
  await catalog.addAlias("acme.test", acme);
  await catalog.tenantOfHost("acme.example");
  await catalog.aliasesOf(acme);
  const key = await catalog.addKey({ hash: "h", tenant: acme, scope: "read" });
  await catalog.findKey("h2");
  catalog.touch(acme, { openedAt: 1 });
  catalog.touchKey(key.id);
  catalog.recordMigrated([acme], { version: "0002", hash: "h2" });
  await catalog.flush();
  await catalog.rotateKey(key.id, "h3", 1);
  await catalog.revokeKey(key.id);
  await catalog.removeAlias("acme.test");
  for (const state of [undefined, "suspended", ["active", "deleted"]] as const) {
    const { cursor } = await catalog.list({ state, limit: 5 });
    await catalog.list({ state, limit: 5, cursor });
    await catalog.list({ state, prefix: "t00001" });
  }
  await collect(catalog.iterate({ state: "suspended" }));
  await catalog.count();
  await collect(catalog.behind("new"));
  await catalog.countBehind("new");
  await catalog.listKeys({ tenant: acme });
  await catalog.listKeys({ tenant: null });
  await catalog.listKeys({ limit: 5 });
  await catalog.audit({ actor: "ops", action: "server.start" });
  await catalog.listAudit({ tenant: acme });
  await catalog.listAudit({ limit: 5 });
  const { incarnation, backupEpoch } = await catalog.update(acme, { durability: "replicated" });
  await catalog.backups.markDirty(acme);
  await catalog.backups.list("none", 5);
  await catalog.backups.list("clean", 5, 1);
  await catalog.backups.open("dirty", "local", 5);
  await catalog.backups.count();
  await catalog.backups.settle({ id: acme, incarnation });
  await catalog.backups.clean({ id: acme, incarnation, backupEpoch }, 1);
  await catalog.backups.due(5, 1);
  await catalog.backups.setDue({ id: acme, incarnation }, 1);
  await catalog.backups.verified({ id: acme, incarnation }, null);
  await catalog.backups.raiseEpoch({ id: acme, incarnation }, true);
  await catalog.setState(acme, { from: ["active"], to: "suspended" });
  await catalog.setState(acme, { from: ["suspended"], to: "deleted" });
}

test.each([
  ["as it is created", 0, ""],
  ["with 20,000 tenants", 20_000, ""],
  ["with 20,000 tenants, analyzed", 20_000, "ANALYZE"],
])("no statement scans a table %s", async (_name, tenants, then) => {
  const file = await catalogFile();
  const { handle } = await file.open();
  fill(file.path, tenants, then);
  const seen = new Map<string, Statement>();
  const catalog = await openCatalog({ handle: watched<Handle>(handle, seen) });
  await useAll(catalog);
  await catalog.close();

  const db = new Database(file.path, { readonly: true });
  const scans: string[] = [];
  for (const { sql, params } of seen.values()) {
    if (sql.includes("catalog_migrations")) continue;
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params) as { detail: string }[];
    for (const { detail } of plan) {
      if (detail.startsWith("SCAN") && !MAY_BE_SCANNED.test(detail)) scans.push(`${detail}: ${sql}`);
      if (detail.includes("TEMP B-TREE")) scans.push(`${detail}: ${sql}`);
    }
  }
  db.close();
  expect(seen.size).toBeGreaterThan(30);
  expect(scans).toEqual([]);
});

test("a page that begins after many tombstones does not read them", async () => {
  const file = await catalogFile();
  const { catalog } = await file.open();
  fill(file.path, 20_000);
  const { tenants } = await catalog.list({ limit: 1000 });
  expect(tenants).toHaveLength(1000);
  expect(tenants.every(({ state }) => state !== "deleted")).toBe(true);
  expect(await catalog.count()).toMatchObject({ active: 17_800, suspended: 200, deleted: 2000 });
  expect(await catalog.countBehind("new")).toBe(20);
  expect(await collect(catalog.behind("new"))).toHaveLength(20);
  expect((await collect(catalog.iterate())).length).toBe(18_000);
});
