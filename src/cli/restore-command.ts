// Owns `tenantry restore`: what a tenant is to be restored from, and saying what came back.
// Restores nothing itself.
import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Job } from "../backups/jobs.ts";
import type { RestorePlan, RestoreSource } from "../backups/restore-source.ts";
import type { RestorePhase, RestoreResult } from "../backups/restores.ts";
import { moment } from "../backups/replica-lines.ts";
import { parseSnapshotName } from "../backups/snapshot-name.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { bytesText, durationText } from "./quantity.ts";
import { WrongUse } from "./report-error.ts";

interface RestoreCommandOptions {
  readonly at?: number;
  readonly txid?: string;
  readonly latest?: true;
  readonly from?: string;
  readonly fromSnapshot?: string | true;
  readonly undo?: true;
  readonly to?: string;
  readonly incarnation?: string;
  readonly dryRun?: true;
}

const PHASES: Readonly<Record<Exclude<RestorePhase, "done">, string>> = {
  fetching: "Fetching it",
  checking: "Checking it",
  pausing: "Waiting for running requests to end",
  replacing: "Putting it in place",
  replicating: "Bringing it into the replica",
};

/** Adds `restore`. */
export function restoreCommand(program: Command, cli: Cli): void {
  program
    .command("restore")
    .description("bring a tenant back to an earlier moment; what it has now is kept, for --undo")
    .argument("<tenant>")
    .option("--at <time>", "as it was at a moment: 2026-11-22T10:00:00Z, or now", parseMoment)
    .option("--txid <hex>", "up to a transaction of the replica", parseTxid)
    .option("--latest", "the newest that the replica has")
    .option("--from <file>", "a SQLite file")
    .option("--from-snapshot [name]", "a snapshot; the newest without a name")
    .option("--undo", "what the last restore replaced")
    .option("--to <tenant>", "make a new tenant of it, and leave this one as it is")
    .option("--incarnation <id>", "from the replica of an earlier tenant of this name (see audit list)")
    .option("--dry-run", "only say what would come back")
    .addHelpText(
      "after",
      examples([
        ["tenantry restore acme --at 2026-11-22T10:00:00Z", "the last minute before the mistake"],
        ["tenantry restore acme --at 2026-11-22T10:00:00Z --to acme-copy", "beside it, to look into"],
        ["tenantry restore acme --from-snapshot", "the newest snapshot"],
        ["tenantry restore acme --undo", "it was the wrong one"],
      ]),
    )
    .action((name: string, options: RestoreCommandOptions) => restore(cli, name, options));
}

async function restore(cli: Cli, name: string, options: RestoreCommandOptions): Promise<void> {
  const id = parseTenantId(name);
  const source = sourceOf(options);
  const copy = options.to === undefined ? undefined : parseTenantId(options.to);
  const { screen } = cli;
  const onPhase = (phase: string): void => {
    if (phase in PHASES) screen.note(`${PHASES[phase as keyof typeof PHASES]} …`);
  };
  const server = await cli.server();
  if (server) {
    const body = { ...bodyOf(source), ...(copy !== undefined && { to: copy }) };
    const path = `/admin/tenants/${id}/restore`;
    if (options.dryRun) {
      const { wouldRestore } = await server.ask<{ wouldRestore: RestorePlan }>("POST", path, {
        ...body,
        dryRun: true,
      });
      return reportPlan(cli, copy ?? id, wouldRestore);
    }
    const result = await server.follow<RestoreResult>(await server.ask<Job>("POST", path, body), onPhase);
    return report(cli, result, copy !== undefined);
  }
  await cli.use({ migrations: true }, async ({ recovery: { restores } }) => {
    if (options.dryRun) return reportPlan(cli, copy ?? id, await restores.plan(id, source));
    const acting = { actor: cli.actor, onPhase };
    const result = await (copy === undefined
      ? restores.inPlace(id, source, acting)
      : restores.toNew(id, copy, source, acting));
    return report(cli, result, copy !== undefined);
  });
}

/** The source as the server is told of it. */
function bodyOf(source: RestoreSource): Record<string, unknown> {
  if (source.kind === "snapshot") return { snapshot: source.name ?? "latest" };
  if (source.kind === "file") return { file: resolve(source.path) };
  if (source.kind === "replaced") return { undo: true };
  const { at, txid, incarnation } = source;
  return {
    ...(at !== undefined && { at: new Date(at).toISOString() }),
    ...(txid !== undefined && { txid }),
    ...(at === undefined && txid === undefined && { latest: true }),
    ...(incarnation !== undefined && { incarnation }),
  };
}

async function reportPlan({ screen }: Cli, tenant: string, plan: RestorePlan): Promise<void> {
  if (screen.json) return screen.printJson({ tenant, wouldRestore: plan });
  return screen.print(`would restore ${tenant} to ${what(plan)}, of ${bytesText(plan.bytes)}`);
}

async function report({ screen }: Cli, result: RestoreResult, isNew: boolean): Promise<void> {
  if (screen.json) return screen.printJson(result);
  const { tenant, restored, sizeBytes, migrated, ahead, pausedMs } = result;
  const pause = isNew ? "" : `, paused for ${durationText(pausedMs)}`;
  await screen.print(`restored ${tenant.id} to ${what(restored)}, ${bytesText(sizeBytes)}${pause}`);
  if (migrated.length > 0) screen.note(`Migrated since: ${migrated.join(", ")}`);
  if (ahead.length > 0) screen.note(`It has migrations that are not in the folder: ${ahead.join(", ")}`);
  if (!isNew) screen.note(`To undo it: tenantry restore ${tenant.id} --undo`);
}

function what({ kind, at, txid, name }: RestorePlan): string {
  if (kind === "replica") return `${moment(at ?? 0)}, transaction ${Number.parseInt(txid ?? "0", 16)}`;
  if (kind === "snapshot") return `snapshot ${name}`;
  return kind === "file" ? String(name) : `what was replaced at ${moment(at ?? 0)}`;
}

/** @throws {WrongUse} unless exactly one source is named */
function sourceOf(options: RestoreCommandOptions): RestoreSource {
  const { at, txid, latest, from, fromSnapshot, undo, incarnation } = options;
  const earlier = incarnation === undefined ? {} : { incarnation };
  const named: RestoreSource[] = [];
  if (at !== undefined) named.push({ kind: "replica", at, ...earlier });
  if (txid !== undefined) named.push({ kind: "replica", txid, ...earlier });
  if (latest) named.push({ kind: "replica", ...earlier });
  if (from !== undefined) named.push({ kind: "file", path: from });
  if (fromSnapshot === true) named.push({ kind: "snapshot" });
  else if (fromSnapshot !== undefined)
    named.push({ kind: "snapshot", name: parseSnapshotName(fromSnapshot) });
  if (undo) named.push({ kind: "replaced" });
  const [source, another] = named;
  if (source && !another) return source;
  throw new WrongUse(
    source ? "There are several things to restore from." : "What is to be restored is missing.",
    "Say one of --at, --txid, --latest, --from, --from-snapshot and --undo.",
  );
}

/** RFC 3339, with its zone. @throws {InvalidArgumentError} */
export function parseMoment(text: string): number {
  if (text === "now") return Date.now();
  const at = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text.replace(" ", "T").toUpperCase())
    : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new InvalidArgumentError("It is a time with its zone, such as 2026-11-22T10:00:00Z, or now.");
}

function parseTxid(text: string): string {
  if (/^[0-9a-fA-F]{1,16}$/.test(text)) return text.toLowerCase().padStart(16, "0");
  throw new InvalidArgumentError("It is a transaction's hexadecimal number, such as 000000000000002a.");
}
