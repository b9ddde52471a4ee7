// Owns `tenantry erase`: asking before it, and the report after it.
// Removes nothing itself.
import type { Command } from "commander";
import type { EraseReport } from "../backups/erasure.ts";
import type { Job } from "../backups/jobs.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Cli } from "./cli.ts";
import { confirm } from "./confirm.ts";
import { examples } from "./examples.ts";
import { bytesText, counted } from "./quantity.ts";

/** Adds `erase`. */
export function eraseCommand(program: Command, cli: Cli): void {
  program
    .command("erase")
    .description("remove all of a tenant: database, snapshots, and everything in the replica; for good")
    .argument("<tenant>")
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      examples([
        ["tenantry tenants export acme -o acme.tar", "what is to be handed over, before that"],
        ["tenantry erase acme --json > acme-erased.json", "with the report"],
      ]) + "\n\nA tombstone and the report stay in the catalog: audit list --tenant acme.",
    )
    .action(async (name: string, { yes }: { yes?: true }) => {
      const id = parseTenantId(name);
      const { screen } = cli;
      if (!yes && !(await confirm(screen, `Erase all of tenant "${id}", its backups included, for good?`))) {
        screen.note("Nothing is erased.");
        return cli.fail();
      }
      const server = await cli.server();
      const report = server
        ? await server.follow<EraseReport>(
            await server.ask<Job>("POST", `/admin/tenants/${id}/erase`, { confirm: id }),
            () => {},
          )
        : await cli.use({}, ({ recovery: { erasure } }) => erasure.erase(id, { actor: cli.actor }));
      if (screen.json) return screen.printJson(report);
      const { files, snapshots, replica } = report;
      const objects = replica ? `, ${counted(replica.objects, "object")} of ${replica.place}` : "";
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0) + (replica?.bytes ?? 0);
      return screen.print(
        `erased ${id}: ${counted(files.length, "file")}, ${counted(snapshots.names.length, "snapshot")}${objects}; ${bytesText(bytes)}. Nothing is left.`,
      );
    });
}
