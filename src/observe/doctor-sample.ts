// Owns the doctor's look into databases: SQLite's quick_check and the migrations' journal, of a few or of all.
// Opens them past the handle cache, through the manager, and changes nothing in them.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { Handle } from "../drivers/driver.ts";
import { migrationStatus } from "../migrations/migration-status.ts";
import { isTenantryError } from "../tenantry-error.ts";
import type { Tenants } from "../tenants/tenants.ts";
import type { Finding } from "./finding.ts";

/** Problems of one database that quick_check names. */
const MAX_PROBLEMS = 3;

/** A uniform sample of a list whose length nobody knows: every tenant has the same chance. */
export class Reservoir<T> {
  readonly items: T[] = [];
  readonly #size: number;
  #seen = 0;

  /** @param size `Infinity` keeps all */
  constructor(size: number) {
    this.#size = size;
  }

  add(item: T): void {
    this.#seen++;
    if (this.items.length < this.#size) this.items.push(item);
    else {
      const at = Math.floor(Math.random() * this.#seen);
      if (at < this.#size) this.items[at] = item;
    }
  }
}

/** Examines databases, one after the other. @param onDone called after each */
export async function examineDatabases(
  tenants: Tenants,
  records: readonly TenantRecord[],
  onDone?: () => void,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  let checked = 0;
  for (const record of records) {
    const found = await examineDatabase(tenants, record);
    if (found) {
      checked++;
      findings.push(...found);
    }
    onDone?.();
  }
  if (checked > 0 && !findings.some(({ severity }) => severity === "error")) {
    const message = `${checked.toLocaleString("en")} ${checked === 1 ? "database passes" : "databases pass"} SQLite's quick_check.`;
    findings.unshift({ check: "quick-check", severity: "ok", message });
  }
  return findings;
}

/** Undefined where the tenant is gone by now, or has no file, which is another check's finding. */
async function examineDatabase(tenants: Tenants, record: TenantRecord): Promise<Finding[] | undefined> {
  const tenant = record.id;
  try {
    return await tenants.visit(record, async (handle) => [
      ...(await quickCheck(tenant, handle)),
      ...(await schemaCheck(tenants, record, handle)),
    ]);
  } catch (error) {
    if (!isTenantryError(error)) throw error;
    if (error.code === "DATABASE_MISSING" || error.code.startsWith("TENANT_")) return undefined;
    const severity = error.code === "DATABASE_BUSY" ? "warn" : "error";
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return [
      {
        check: "quick-check",
        severity,
        message: `Tenant "${tenant}" cannot be read: ${error.message}`,
        tenant,
        ...hint,
      },
    ];
  }
}

async function quickCheck(tenant: string, handle: Handle): Promise<Finding[]> {
  const { rows } = await handle.run(
    { sql: `PRAGMA quick_check(${MAX_PROBLEMS})`, params: [] },
    { rows: "arrays" },
  );
  const problems = (rows as unknown[][]).map(([problem]) => String(problem));
  if (problems.length === 1 && problems[0] === "ok") return [];
  return [
    {
      check: "quick-check",
      severity: "error",
      message: `The database of tenant "${tenant}" is damaged: ${problems.join("; ")}.`,
      hint: "Suspend the tenant, and restore its file from a copy.",
      tenant,
    },
  ];
}

async function schemaCheck(
  { migrations }: Tenants,
  { id: tenant, state }: TenantRecord,
  handle: Handle,
): Promise<Finding[]> {
  const check = "schema";
  const status = await migrationStatus(handle, migrations);
  const named = (state: string): string =>
    status
      .filter((one) => one.state === state)
      .map(({ name }) => name)
      .join(", ");
  const findings: Finding[] = [];
  const drifted = named("drifted");
  if (drifted !== "") {
    findings.push({
      check,
      severity: "error",
      message: `Migrations changed after tenant "${tenant}" had applied them: ${drifted}.`,
      hint: "Put back the text that was applied, and write the change as a new migration.",
      tenant,
    });
  }
  const missing = named("missing");
  if (missing !== "") {
    findings.push({
      check,
      severity: "warn",
      message: `Tenant "${tenant}" has migrations that have no file: ${missing}.`,
      hint: "Put the files back, or name the right folder with --migrations.",
      tenant,
    });
  }
  const pending = named("pending");
  if (pending !== "" && state !== "quarantined") {
    findings.push({
      check,
      severity: "warn",
      message: `Tenant "${tenant}" is behind: ${pending}.`,
      hint: "Migrate it now with tenantry migrate; else its first request does.",
      tenant,
    });
  }
  return findings;
}
