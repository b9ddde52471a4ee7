// Owns folders for tests, and Tenantries in them: both go when the test ends.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { migrationSet } from "../../src/migrations/migration-set.ts";
import { parseTenantId } from "../../src/tenant-id.ts";
import { createTenantry, type Tenantry } from "../../src/tenantry.ts";
import type { TenantryOptions } from "../../src/tenantry-options.ts";
import { NOTES } from "./notes-schema.ts";

/** An empty folder. */
export async function tempFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** What is made for a test besides the options of a Tenantry. */
export interface TestTenantryOptions extends Partial<TenantryOptions> {
  /** Tenants to create. */
  readonly tenants?: readonly string[];
}

/** A Tenantry with the table of notes. When the test ends, no lease may be left. */
export async function tempTenantry({
  tenants = [],
  ...options
}: TestTenantryOptions = {}): Promise<Tenantry> {
  const tenantry = await createTenantry({
    data: options.data ?? (await tempFolder()),
    migrations: await migrationSet([NOTES]),
    ...options,
  });
  let closed = false;
  onTestFinished(async () => {
    if (!closed) expect(tenantry.tenants.stats().leased).toBe(0);
    await tenantry.close(0);
  });
  for (const tenant of tenants) await tenantry.lifecycle.create(parseTenantId(tenant));
  return {
    ...tenantry,
    close: (graceMs) => {
      closed = true;
      return tenantry.close(graceMs);
    },
  };
}

/** Adds a note to a tenant. */
export async function addNote(tenantry: Tenantry, tenant: string, body: string): Promise<void> {
  await tenantry.database(tenant).prepare("INSERT INTO notes (body) VALUES (?)").bind(body).run();
}

/** The notes of a tenant, in the order in which they were made. */
export async function notesOf(tenantry: Tenantry, tenant: string): Promise<string[]> {
  const { results } = await tenantry
    .database(tenant)
    .prepare("SELECT body FROM notes ORDER BY id")
    .all<{ body: string }>();
  return results.map(({ body }) => body);
}

/** What `use` gives, or throws, once the tenant's file is here: who asks for one that is away is told to wait. */
export async function whenHere<T>(use: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await use();
    } catch (error) {
      if ((error as { code?: string }).code !== "HYDRATING") throw error;
    }
  }
}
