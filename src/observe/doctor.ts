// Owns a doctor's visit to a data folder: which checks, in which order, of an installation that is open.
// The machine's checks need nothing open: they are in doctor-machine.ts.
import { join } from "node:path";
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { LocalDriver } from "../drivers/local/local-driver.ts";
import type { FleetMigration } from "../tenants/fleet-migration.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { examineFolder } from "./doctor-folder.ts";
import { examineDatabases, Reservoir } from "./doctor-sample.ts";
import type { Finding } from "./finding.ts";

/** Databases that are opened and checked unless the caller says otherwise. */
export const DEFAULT_DOCTOR_SAMPLE = 20;

/** Quarantined tenants that are named. */
const MAX_QUARANTINED = 100;

/** What a visit needs: a Tenantry has all of it. */
export interface DoctorParts {
  readonly catalog: Catalog;
  readonly driver: LocalDriver;
  readonly fleet: FleetMigration;
  readonly tenants: Tenants;
}

/** Options of {@link examineData}. */
export interface DoctorOptions {
  /** Databases to open and check, chosen at random; `Infinity` for all. @default 20 */
  readonly sample?: number | undefined;
  /** Remove what is harmless: old scratch files and templates. @default false */
  readonly fix?: boolean | undefined;
  /** Milliseconds after which a scratch file is nobody's. @default 3600000 */
  readonly scratchAgeMs?: number | undefined;
  /** Called after each database that was checked. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Checks an open data folder: catalog, files, states, schemas, and a sample of the databases. */
export async function examineData(
  { catalog, driver, fleet, tenants }: DoctorParts,
  { sample = DEFAULT_DOCTOR_SAMPLE, fix, scratchAgeMs, onProgress }: DoctorOptions = {},
): Promise<Finding[]> {
  const findings: Finding[] = [await examineCatalog(driver)];
  // A suspended tenant's file may be about to be copied or replaced: it is left alone.
  const chosen = new Reservoir<TenantRecord>(sample);
  findings.push(
    ...(await examineFolder({
      dir: driver.dir,
      catalog,
      schemaHash: tenants.migrations.hash,
      fix,
      scratchAgeMs,
      onTenant: (record) => {
        const settled = record.state === "active" || record.state === "quarantined";
        // What is kept elsewhere is examined there.
        const here = record.driver === driver.name && record.awaySince === null;
        if (settled && here) chosen.add(record);
      },
    })),
  );

  const { tenants: quarantined } = await catalog.list({ state: "quarantined", limit: MAX_QUARANTINED });
  for (const { id, reason } of quarantined) {
    findings.push({
      check: "quarantined",
      severity: "error",
      message: `Tenant "${id}" is quarantined: ${reason ?? "for no recorded reason"}`,
      hint: `When it is mended: tenantry migrate retry ${id}`,
      tenant: id,
    });
  }
  const behind = await fleet.countBehind();
  if (behind > 0) {
    findings.push({
      check: "schema",
      severity: "warn",
      message: `The catalog has ${behind} ${behind === 1 ? "tenant" : "tenants"} behind the current schema.`,
      hint: "Migrate them now with tenantry migrate; else each one's first request does.",
    });
  }

  let done = 0;
  const total = chosen.items.length;
  findings.push(...(await examineDatabases(tenants, chosen.items, () => onProgress?.(++done, total))));
  return findings;
}

async function examineCatalog(driver: LocalDriver): Promise<Finding> {
  const check = "catalog";
  const path = join(driver.dir, "catalog.db");
  const handle = await driver.openFile(path);
  try {
    const { rows } = await handle.run({ sql: "PRAGMA quick_check(1)", params: [] }, { rows: "arrays" });
    const [problem] = rows[0] as unknown[];
    if (problem === "ok")
      return { check, severity: "ok", message: "The catalog passes SQLite's quick_check.", path };
    return {
      check,
      severity: "error",
      message: `The catalog is damaged: ${String(problem)}.`,
      hint: "Stop the servers, and restore catalog.db from a copy.",
      path,
    };
  } finally {
    await handle.close();
  }
}
