// Owns the doctor's checks of backups: whether there can be any, whether somebody makes them, and what is missing.
// Tries no restore: drills do.
import { askReport } from "../backups/replication-gate.ts";
import { BACKUP_ALARMS, type BackupsReport } from "../backups/backups-status.ts";
import { findLitestream } from "../backups/litestream-binary.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { isTenantryError } from "../tenantry-error.ts";
import type { Finding } from "./finding.ts";

const check = "backups";

/** What is looked at. */
export interface BackupsExamination {
  /** The data folder. */
  readonly dir: string;
  readonly catalog: Catalog;
  /** Whether a replica is configured here. */
  readonly configured: boolean;
}

/** Examines the backups of a data folder. */
export async function examineBackups({ dir, catalog, configured }: BackupsExamination): Promise<Finding[]> {
  const report = (await askReport(dir)) as BackupsReport | undefined;
  const waiting = (await catalog.backups.countOf("dirty")) + (await catalog.backups.countOf("settling"));
  const findings: Finding[] = [];
  if (report) {
    const { replica, litestream, alarms } = report.status;
    const message = `A server replicates to ${replica}, by Litestream ${litestream}.`;
    findings.push({ check, severity: "ok", message });
    for (const alarm of alarms) {
      findings.push({
        check,
        severity: "error",
        message: `Backups: ${BACKUP_ALARMS[alarm]}.`,
        hint: "See tenantry backups status.",
      });
    }
    return findings;
  }
  if (!configured && waiting === 0) {
    return [{ check, severity: "ok", message: "Backups are off: no replica is configured." }];
  }
  findings.push({
    check,
    severity: "warn",
    message: `No server replicates this folder${waiting > 0 ? `; ${waiting} tenants may have writes that are not in a replica` : ""}.`,
    hint: "Start one: tenantry serve --replica URL. One that runs says in its first lines, and in /readyz, why it does not.",
  });
  const missing = await findLitestream().catch((error: unknown) => {
    if (!isTenantryError(error)) throw error;
    return error;
  });
  if (isTenantryError(missing)) {
    const { message, hint = "" } = missing;
    findings.push({ check, severity: "warn", message: `Backups cannot be made: ${message}`, hint });
  }
  return findings;
}
