// Owns the catalog's own schema: its migrations, and bringing a catalog up to the newest of them.
// The migrations of tenants are the business of `src/migrations`.
import type { Handle } from "../drivers/driver.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { LOCKS_SQL } from "./catalog-lock.ts";

interface CatalogMigration {
  readonly id: number;
  readonly name: string;
  readonly sql: string;
}

const JOURNAL_SQL = `
CREATE TABLE catalog_migrations (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT;
`;

/**
 * The counts are kept by triggers: counting a million index entries takes a tenth of a second, in which the
 * event loop stands still.
 */
const INITIAL_SQL = `
CREATE TABLE tenants (
  id TEXT NOT NULL PRIMARY KEY,
  incarnation TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('active', 'suspended', 'migrating', 'quarantined', 'moving', 'deleted')),
  reason TEXT,
  driver TEXT NOT NULL,
  shard TEXT NOT NULL,
  schema_version TEXT NOT NULL,
  schema_hash TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  statement_timeout_ms INTEGER CHECK (statement_timeout_ms > 0),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  opened_at INTEGER,
  deleted_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tenants_by_state ON tenants (state, id);
CREATE INDEX tenants_by_schema ON tenants (schema_hash, id, state) WHERE state <> 'deleted';

CREATE TABLE tenant_counts (
  state TEXT NOT NULL PRIMARY KEY,
  tenants INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tenant_counts (state, tenants) VALUES
  ('active', 0), ('suspended', 0), ('migrating', 0), ('quarantined', 0), ('moving', 0), ('deleted', 0);
CREATE TRIGGER tenants_count_insert AFTER INSERT ON tenants BEGIN
  UPDATE tenant_counts SET tenants = tenants + 1 WHERE state = new.state;
END;
CREATE TRIGGER tenants_count_update AFTER UPDATE OF state ON tenants WHEN old.state <> new.state BEGIN
  UPDATE tenant_counts SET tenants = tenants - 1 WHERE state = old.state;
  UPDATE tenant_counts SET tenants = tenants + 1 WHERE state = new.state;
END;
CREATE TRIGGER tenants_count_delete AFTER DELETE ON tenants BEGIN
  UPDATE tenant_counts SET tenants = tenants - 1 WHERE state = old.state;
END;

CREATE TABLE aliases (
  host TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id),
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_tenant ON aliases (tenant, host);

CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  tenant TEXT REFERENCES tenants (id),
  scope TEXT NOT NULL,
  label TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, id);

CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  tenant TEXT,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_log_by_tenant ON audit_log (tenant, id);
`;

/**
 * The index holds every tenant that is there: those of each state in the order in which they were last found
 * to be in the replica, so that what is due comes first.
 */
const BACKUPS_SQL = `
ALTER TABLE tenants ADD COLUMN backup_state TEXT NOT NULL DEFAULT 'none'
  CHECK (backup_state IN ('none', 'dirty', 'settling', 'clean'));
ALTER TABLE tenants ADD COLUMN backup_epoch INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tenants ADD COLUMN backup_txid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN backup_settled_at INTEGER;
ALTER TABLE tenants ADD COLUMN backup_verified_at INTEGER;
ALTER TABLE tenants ADD COLUMN backup_verify_failure TEXT;
ALTER TABLE tenants ADD COLUMN durability TEXT CHECK (durability IN ('local', 'replicated'));
CREATE INDEX tenants_by_backup ON tenants (backup_state, backup_settled_at, id) WHERE state <> 'deleted';
`;

const SETTINGS_SQL = `
ALTER TABLE tenants ADD COLUMN blocked TEXT CHECK (blocked IN ('writes', 'all'));
ALTER TABLE tenants ADD COLUMN block_reason TEXT;
ALTER TABLE tenants ADD COLUMN max_bytes INTEGER CHECK (max_bytes > 0);
ALTER TABLE tenants ADD COLUMN transaction_timeout_ms INTEGER CHECK (transaction_timeout_ms > 0);
ALTER TABLE tenants ADD COLUMN jwt_key TEXT;
`;

/** The indexes hold only tenants that somebody has to look after: as a rule, none, and those who are away. */
const RECOVERY_SQL = `
ALTER TABLE tenants ADD COLUMN away_since INTEGER;
CREATE INDEX tenants_by_verify_failure ON tenants (id)
  WHERE backup_verify_failure IS NOT NULL AND state <> 'deleted';
CREATE INDEX tenants_away ON tenants (id) WHERE away_since IS NOT NULL AND state <> 'deleted';
`;

/** The index holds only tenants that nobody writes to and that have something to be done in the replica. */
const ROTATION_SQL = `
ALTER TABLE tenants ADD COLUMN backup_due_at INTEGER;
CREATE INDEX tenants_due ON tenants (backup_due_at, id)
  WHERE backup_due_at IS NOT NULL AND backup_state = 'clean' AND state <> 'deleted';
`;

/** In order, and never changed once released. */
const CATALOG_MIGRATIONS: readonly CatalogMigration[] = [
  { id: 1, name: "initial", sql: INITIAL_SQL },
  { id: 2, name: "backups", sql: BACKUPS_SQL },
  { id: 3, name: "tenant-settings", sql: SETTINGS_SQL },
  { id: 4, name: "locks", sql: LOCKS_SQL },
  { id: 5, name: "recovery", sql: RECOVERY_SQL },
  { id: 6, name: "rotation", sql: ROTATION_SQL },
];

/**
 * Brings a catalog up to the newest schema. Several processes may do so at once: each migration runs in a
 * transaction that looks first whether another process has run it.
 *
 * @throws {TenantryError} `MIGRATION_MISSING` when a newer Tenantry has written the catalog.
 */
export async function migrateCatalog(handle: Handle, now: number): Promise<void> {
  const newest = await newestApplied(handle);
  if (newest > CATALOG_MIGRATIONS.length) {
    throw new TenantryError(
      "MIGRATION_MISSING",
      `The catalog has schema ${newest}; this Tenantry knows up to ${CATALOG_MIGRATIONS.length}.`,
      { hint: "A newer Tenantry has written this catalog. Run that version." },
    );
  }
  for (const { id, name, sql } of CATALOG_MIGRATIONS.slice(newest)) {
    await handle.script({
      sql,
      after: [
        {
          sql: "INSERT INTO catalog_migrations (id, name, applied_at) VALUES (?, ?, ?)",
          params: [id, name, now],
        },
      ],
      unless: { sql: "SELECT 1 FROM catalog_migrations WHERE id = ?", params: [id] },
    });
  }
}

/** The id of the newest migration applied; 0 for none. One read, but for the first time. */
async function newestApplied(handle: Handle): Promise<number> {
  const newest = { sql: "SELECT coalesce(max(id), 0) AS id FROM catalog_migrations", params: [] };
  const read = async (): Promise<number> => ((await handle.run(newest)).rows[0] as { id: number }).id;
  try {
    return await read();
  } catch (error) {
    if (!isTenantryError(error, "SQL_ERROR")) throw error;
    const journal = { sql: "SELECT 1 FROM sqlite_schema WHERE name = 'catalog_migrations'", params: [] };
    await handle.script({ sql: JOURNAL_SQL, after: [], unless: journal });
    return read();
  }
}
