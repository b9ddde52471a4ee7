// Owns which schema each tenant database is known to have, and how a stale one is noticed.
// Does not read schemas itself: schema.ts does.
import { type DatabaseSchema, readSchema } from "./schema.ts";
import type { RunOptions, SqlRunner, Statement } from "../drivers/driver.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { RecentMap } from "../recent-map.ts";

export interface SchemaCacheOptions {
  /** Databases whose schema is remembered; the least recently used goes first. @default {@link DEFAULT_MAX_DATABASES} */
  readonly maxDatabases?: number;
  /** Different schemas that are remembered. Tenants of one schema share it. @default {@link DEFAULT_MAX_SCHEMAS} */
  readonly maxSchemas?: number;
  /**
   * How long, in milliseconds, a schema is trusted where the database does not tell its `schema_version`
   * (D1). @default {@link DEFAULT_MAX_AGE_MS}
   */
  readonly maxAgeMs?: number;
}

export const DEFAULT_MAX_DATABASES = 10_000;
export const DEFAULT_MAX_SCHEMAS = 64;
export const DEFAULT_MAX_AGE_MS = 5_000;

/** What is known of one database. */
export interface KnownSchema {
  readonly schema: DatabaseSchema;
  /** The same number for every database with this schema: a key for what was compiled against it. */
  readonly id: number;
  /** SQLite's `schema_version` when it was read, or `undefined` where the database does not tell it. */
  readonly version: number | undefined;
  /** When it was read, in milliseconds of {@link performance.now}. */
  readonly readAt: number;
}

export interface SchemaCache {
  /** What is known without asking the database. */
  peek(key: string): KnownSchema | undefined;
  /**
   * Whether `known` still holds: one prepared `PRAGMA schema_version`, or its age. Callers of the same time share
   * one check; it never rejects, and what cannot be checked does not hold.
   */
  isCurrent(known: KnownSchema, runner: SqlRunner): Promise<boolean>;
  /** Reads the schema and remembers it under `key`. */
  load(key: string, runner: SqlRunner): Promise<KnownSchema>;
  /** What is known and still holds, read again if it must be. */
  current(key: string, runner: SqlRunner): Promise<KnownSchema>;
}

const VERSION: Statement = { sql: "PRAGMA schema_version", params: [] };
const FIRST: RunOptions = { first: true };
// everything that a schema depends on, without root pages, which differ from file to file
const FINGERPRINT: Statement = {
  sql: "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name",
  params: [],
};

/**
 * Remembers the schemas of many databases. Databases with the same schema share one {@link DatabaseSchema}, so
 * that the ten-thousandth tenant costs one short query and a few bytes.
 */
export function createSchemaCache(options: SchemaCacheOptions = {}): SchemaCache {
  const maxAgeMs = atLeast("maxAgeMs", options.maxAgeMs ?? DEFAULT_MAX_AGE_MS, 0);
  const databases = new RecentMap<string, KnownSchema>({
    maxEntries: atLeast("maxDatabases", options.maxDatabases ?? DEFAULT_MAX_DATABASES, 1),
  });
  const schemas = new RecentMap<string, { id: number; schema: DatabaseSchema }>({
    maxEntries: atLeast("maxSchemas", options.maxSchemas ?? DEFAULT_MAX_SCHEMAS, 1),
  });
  let lastId = 0;

  const checks = new WeakMap<KnownSchema, Promise<boolean>>();

  function isCurrent(known: KnownSchema, runner: SqlRunner): Promise<boolean> {
    let check = checks.get(known);
    if (check === undefined) {
      check = checkNow(known, runner);
      checks.set(known, check);
    }
    return check;
  }

  async function checkNow(known: KnownSchema, runner: SqlRunner): Promise<boolean> {
    try {
      if (known.version === undefined) return performance.now() - known.readAt < maxAgeMs;
      const { rows } = await runner.run(VERSION, FIRST);
      return versionIn(rows) === known.version;
    } catch {
      // whatever is wrong, reading the schema anew will say it, or find it well again
      return false;
    } finally {
      checks.delete(known);
    }
  }

  async function load(key: string, runner: SqlRunner): Promise<KnownSchema> {
    const readAt = performance.now();
    let { version, fingerprint } = await identify(runner);
    let shared = schemas.get(fingerprint);
    while (shared === undefined) {
      const schema = await readSchema(runner);
      // what another process changed meanwhile must not be shared under the fingerprint from before
      const after = await identify(runner);
      if (after.fingerprint === fingerprint) {
        shared = { id: ++lastId, schema };
        schemas.set(fingerprint, shared);
      }
      ({ version, fingerprint } = after);
    }
    const known: KnownSchema = { ...shared, version, readAt };
    databases.set(key, known);
    return known;
  }

  return {
    peek: (key) => databases.get(key),
    isCurrent,
    load,
    async current(key, runner) {
      const known = databases.get(key);
      return known !== undefined && (await isCurrent(known, runner)) ? known : load(key, runner);
    },
  };
}

async function identify(runner: SqlRunner): Promise<{ version: number | undefined; fingerprint: string }> {
  try {
    const [version, contents] = await runner.batch([VERSION, FINGERPRINT], { readOnly: true });
    return { version: versionIn(version?.rows), fingerprint: JSON.stringify(contents?.rows) };
  } catch (error) {
    // D1 does not authorise PRAGMA schema_version
    if (!isTenantryError(error, "SQL_ERROR") && !isTenantryError(error, "SQL_REFUSED")) throw error;
    const contents = await runner.run(FINGERPRINT, { readOnly: true });
    return { version: undefined, fingerprint: JSON.stringify(contents.rows) };
  }
}

function versionIn(rows: readonly unknown[] | undefined): number | undefined {
  const version = (rows?.[0] as { schema_version?: unknown } | undefined)?.schema_version;
  return typeof version === "number" ? version : undefined;
}

function atLeast(name: string, value: number, least: number): number {
  if (Number.isFinite(value) && value >= least) return value;
  throw new TenantryError("INVALID_OPTION", `${name} is ${value}, and must be ${least} or more.`);
}
