// Owns keeping others from changing a tenant while work on it goes on: by the database's own lock, or by a row.
// Does not know what the work is.
import type { Handle, ResultSet, SqlRunner, Statement } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { randomId } from "./random-id.ts";

/** Milliseconds that work under the catalog's lock may take before it is given up. */
export const LOCKED_WORK_TIMEOUT_MS = 30_000;

/** What a catalog without interactive transactions locks tenants with. */
export const LOCKS_SQL = `
CREATE TABLE tenant_locks (
  tenant TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;

/** Keeps others away from tenants. */
export interface CatalogLock {
  /** Whether works on different tenants wait for each other, so that they had better be done together. */
  readonly ofAllTenants: boolean;
  /**
   * Runs `fn` while nobody else changes these tenants. It writes with one `batch()`, its last act, which is not
   * done where the lock was lost.
   * @throws {TenantryError} `TENANT_BUSY` where somebody else works on one of them, and what `fn` throws
   */
  hold<T>(tenants: readonly TenantId[], fn: (tx: SqlRunner) => Promise<T>): Promise<T>;
  /** Runs `statements` as a batch if nobody works on the tenant. @throws {TenantryError} `TENANT_BUSY` */
  batch(tenant: TenantId, statements: readonly Statement[]): Promise<ResultSet[]>;
}

/** The lock that a write transaction is. */
export function transactionLock(db: Handle): CatalogLock {
  return {
    ofAllTenants: true,
    hold: (_tenants, fn) => db.transaction("write", fn, { timeoutMs: LOCKED_WORK_TIMEOUT_MS }),
    batch: (_tenant, statements) => db.batch(statements),
  };
}

const TAKE_SQL = `
INSERT INTO tenant_locks (tenant, owner, until)
SELECT value, ?, ? FROM json_each(?) WHERE true
ON CONFLICT (tenant) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE tenant_locks.until < ? RETURNING tenant`;
const RELEASE_SQL = "DELETE FROM tenant_locks WHERE owner = ?";

// A batch can stop itself only by a statement that fails (decisions/042).
const LOST = "tenantry:lock-lost";
const TAKEN = "tenantry:lock-taken";
const IF_HELD_SQL = `SELECT json_extract('{}', '${LOST}')
WHERE (SELECT count(*) FROM tenant_locks WHERE owner = ?) < ?`;
const IF_FREE_SQL = `SELECT json_extract('{}', '${TAKEN}')
WHERE EXISTS (SELECT 1 FROM tenant_locks WHERE tenant = ? AND until >= ?)`;

/**
 * A lock that is a row with an end, for databases whose only transaction is a batch: whoever dies with it is
 * waited for {@link LOCKED_WORK_TIMEOUT_MS}, and nobody writes after losing it.
 */
export function leaseLock(db: Handle, clock: () => number): CatalogLock {
  const release = (owner: string): Statement => ({ sql: RELEASE_SQL, params: [owner] });
  const told = (error: unknown): unknown =>
    isTenantryError(error) && (error.message.includes(LOST) || error.message.includes(TAKEN))
      ? busy()
      : error;

  return {
    ofAllTenants: false,
    async hold(tenants, fn) {
      const owner = randomId();
      const now = clock();
      const { rows } = await db.run({
        sql: TAKE_SQL,
        params: [owner, now + LOCKED_WORK_TIMEOUT_MS, JSON.stringify(tenants), now],
      });
      let released = false;
      const tx: SqlRunner = {
        run: (statement, options) => db.run(statement, options),
        exec: (sql) => db.exec(sql),
        async batch(statements, options) {
          const held = { sql: IF_HELD_SQL, params: [owner, tenants.length] };
          const results = await db.batch([held, ...statements, release(owner)], options).catch((error) => {
            throw told(error);
          });
          released = true;
          return results.slice(1, -1);
        },
      };
      try {
        if (rows.length < tenants.length) throw busy();
        return await fn(tx);
      } finally {
        // A lock that cannot be given back ends by itself, and why it cannot has been told already.
        if (!released) await db.run(release(owner)).catch(() => undefined);
      }
    },
    async batch(tenant, statements) {
      const free = { sql: IF_FREE_SQL, params: [tenant, clock()] };
      const results = await db.batch([free, ...statements]).catch((error) => {
        throw told(error);
      });
      return results.slice(1);
    },
  };
}

function busy(): TenantryError {
  return new TenantryError("TENANT_BUSY", "Somebody else is creating, changing or deleting the tenant.", {
    hint: "Try again in a moment.",
    retryAfterSeconds: 1,
  });
}
