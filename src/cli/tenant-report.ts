// Owns how commands report on tenants: one in full, or several one after another, past failures.
// Does nothing to them itself.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import type { Cli } from "./cli.ts";
import { bytesText, counted, momentText } from "./quantity.ts";
import { type PrintedError, printedError } from "./report-error.ts";
import { pairLines } from "./text-table.ts";

/** Tenants that are worked on at the same time: as many as share a commit of the catalog. */
const AT_ONCE = 100;

/** Prints a tenant. */
export async function showTenant(
  cli: Cli,
  record: TenantRecord,
  hosts: readonly string[],
  path: string,
): Promise<void> {
  const { screen } = cli;
  if (screen.json) return screen.printJson({ ...record, path, hosts });
  const { state } = record;
  const pairs: [string, string | null][] = [
    ["tenant", record.id],
    ["state", state],
    ["reason", record.reason],
    ["schema", record.schemaVersion || "-"],
    ["hosts", hosts.join(", ") || null],
    ["size", bytesText(record.sizeBytes)],
    ["file", path],
    ["created", `${momentText(record.createdAt)} UTC`],
    ["changed", `${momentText(record.updatedAt)} UTC`],
    ["opened", record.openedAt === null ? null : `${momentText(record.openedAt)} UTC`],
    ["blocked", record.blocked],
    ["block reason", record.blockReason],
    ["time limit", record.statementTimeoutMs === null ? null : `${record.statementTimeoutMs} ms`],
    ["transactions", record.transactionTimeoutMs === null ? null : `${record.transactionTimeoutMs} ms`],
    ["size limit", record.maxBytes === null ? null : bytesText(record.maxBytes)],
    ["JWT key", record.jwtKey],
    ["durability", record.durability],
    ["backups", record.backupState === "none" ? null : record.backupState],
    ["deleted", record.deletedAt === null ? null : `${momentText(record.deletedAt)} UTC`],
    ["incarnation", record.incarnation],
    ["driver", record.driver],
    ["shard", record.shard],
  ];
  const known = pairs.filter((pair): pair is [string, string] => pair[1] !== null);
  await screen.print(pairLines(known, (name) => screen.style("bold", name)).join("\n"));
}

/** Does `act` to every tenant, past failures, and reports each. */
export async function eachTenant(
  cli: Cli,
  names: readonly string[],
  done: string,
  act: (id: TenantId) => Promise<TenantRecord>,
): Promise<void> {
  const { screen } = cli;
  const ids = [...new Set(names.map(parseTenantId))];
  const tenants: TenantRecord[] = [];
  const failed: ({ readonly tenant: TenantId } & PrintedError)[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = ids.slice(at, at + AT_ONCE);
    const results = await Promise.allSettled(some.map(act));
    for (const [i, result] of results.entries()) {
      const tenant = some[i] as TenantId;
      if (result.status === "fulfilled") {
        tenants.push(result.value);
        if (!screen.json) await screen.print(`${done} ${tenant}`);
      } else {
        // One tenant, one error: as for any other command.
        if (ids.length === 1) throw result.reason;
        failed.push({ tenant, ...printedError(result.reason) });
        if (!screen.json)
          screen.complain(`${screen.noteStyle("red", "failed")} ${tenant}: ${failed.at(-1)?.message}`);
      }
    }
  }
  if (screen.json) await screen.printJson({ tenants, failed });
  else if (ids.length > 10)
    screen.note(`${counted(tenants.length, "tenant")} ${done}, ${failed.length} failed.`);
  if (failed.length > 0) cli.fail();
}
