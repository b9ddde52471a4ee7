// Owns the doctor's look at restores: those that were killed, and drills that failed.
// Restores nothing; with `fix` it lets those serve again whose restore was killed.
import type { Restores } from "../backups/restores.ts";
import { LEAVING_REASON, RESTORE_REASON } from "../backups/restores.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Finding } from "./finding.ts";

/** Tenants that are named. */
const MAX_NAMED = 100;

/** What is looked at. */
export interface RestoresExamination {
  readonly catalog: Catalog;
  readonly restores: Restores;
  /** Let those serve again whose restore was killed. @default false */
  readonly fix?: boolean | undefined;
}

/** Looks for restores that were killed, and for drills that failed. */
export async function examineRestores({ catalog, restores, fix }: RestoresExamination): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { id } of fix ? await restores.mend() : []) {
    findings.push({
      check: "restores",
      severity: "ok",
      message: `A restore of "${id}" had been killed: its file is whole, and it serves again.`,
      tenant: id,
    });
  }
  for await (const { id, reason } of catalog.iterate({ state: "moving" })) {
    if (reason !== RESTORE_REASON && reason !== LEAVING_REASON) continue;
    findings.push({
      check: "restores",
      severity: "warn",
      message: `Tenant "${id}" is ${reason}, or the process that did it was killed.`,
      hint: "The next start of the server mends it, as does tenantry doctor --fix; one that is under way is left alone.",
      tenant: id,
    });
  }
  for (const { id, backupVerifyFailure } of await catalog.backups.failing(MAX_NAMED)) {
    findings.push({
      check: "drills",
      severity: "error",
      message: `The last restore of "${id}" that was tried out failed: ${backupVerifyFailure}`,
      hint: `Try it again: tenantry backups verify ${id}`,
      tenant: id,
    });
  }
  return findings;
}
