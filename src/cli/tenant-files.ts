// Owns `tenantry tenants import` and `export`: a tenant's database as a file of the user's.
// The lifecycle checks, migrates and takes over what is imported; the user's own file is only read.
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, rename, rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import { isTar } from "../backups/archives.ts";
import { copyDatabase } from "../backups/prepare-restore.ts";
import { exists } from "../drivers/local/database-file.ts";
import { parseTenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { bytesText } from "./quantity.ts";
import { WrongUse } from "./report-error.ts";

/** What an archive's name ends with. */
const ARCHIVE_ENDING = ".tar";

interface ExportOptions {
  readonly output?: string;
  readonly force?: boolean;
  readonly archive?: true;
}

/** Stands for stdin. */
const STDIN = "-";

/** Adds `import`. */
export function importCommand(tenants: Command, cli: Cli): void {
  tenants
    .command("import")
    .description("make a tenant of a copy of a SQLite file, of an archive, or of SQL text such as a dump")
    .argument("<tenant>", "the new tenant's name")
    .argument("<file>", "a SQLite database, an archive or a dump of one, or - for stdin")
    .option(
      "--baseline [migration]",
      "take the migrations, or those up to one, for applied: the file has their schema",
    )
    .addHelpText(
      "after",
      examples([
        ["tenantry tenants import acme old/acme.sqlite", "pending migrations run on the copy"],
        ["tenantry tenants import acme acme.db --baseline", "its schema is the current one already"],
        ["ssh old cat acme.db | tenantry tenants import acme -", "from elsewhere"],
      ]),
    )
    .action((name: string, file: string, { baseline }: { baseline?: true | string }) => {
      const id = parseTenantId(name);
      return cli.use({ create: true, migrations: true }, async ({ driver, lifecycle, recovery }) => {
        await using scratch = await driver.files.scratch();
        await using received = await driver.files.scratch();
        if (file === STDIN) await pipeline(process.stdin, createWriteStream(received.path, { flags: "wx" }));
        const source = file === STDIN ? received.path : file;
        if (await isTar(source)) await recovery.archives.read(source, scratch.path);
        else if (file === STDIN) await rename(source, scratch.path);
        else if (await driver.files.isDatabase(file)) await copyDatabase(file, scratch.path);
        else await copyFile(file, scratch.path);
        await refuseEmpty(scratch.path, file);
        const record = await lifecycle.importFile(id, scratch.path, {
          actor: cli.actor,
          ...(baseline !== undefined && { baseline }),
        });
        const { screen } = cli;
        if (screen.json) return screen.printJson(record);
        await screen.print(`imported ${id}, ${bytesText(record.sizeBytes)}`);
      });
    });
}

/** Adds `export`. */
export function exportCommand(tenants: Command, cli: Cli): void {
  tenants
    .command("export")
    .description("write a consistent copy of a tenant's database, or an archive with its hashes: one file")
    .argument("<tenant>")
    .option("-o, --output <file>", "the file to write (default: stdout, where that is no terminal)")
    .option("--archive", "a tar file with a manifest of hashes; as with an output that ends with .tar")
    .option("-f, --force", "overwrite the file")
    .addHelpText(
      "after",
      examples([
        ["tenantry tenants export acme -o acme.db", "to a file"],
        ["tenantry tenants export acme -o acme.tar", "to an archive, whose manifest says what is in it"],
        ["tenantry tenants export acme | gzip > acme.db.gz", "to another program"],
      ]),
    )
    .action((name: string, { output, force = false, archive }: ExportOptions) => {
      const id = parseTenantId(name);
      const { screen } = cli;
      const packed = archive === true || output?.endsWith(ARCHIVE_ENDING) === true;
      if (output === undefined && screen.interactive) {
        throw new WrongUse("A database is not for a terminal.", `Name a file: -o ${id}.db`);
      }
      return cli.use({ migrations: true }, async ({ driver, lifecycle, recovery }) => {
        if (output !== undefined && !force && (await exists(output))) {
          throw new WrongUse(`${output} is there already.`, "Say --force to overwrite it.");
        }
        await using scratch = await driver.files.scratch();
        const manifest = packed ? await recovery.archives.write(id, scratch.path) : undefined;
        if (!packed) await lifecycle.exportFile(id, scratch.path);
        if (output === undefined) {
          for await (const chunk of createReadStream(scratch.path)) {
            if (screen.gone) return;
            await screen.write(chunk as Buffer);
          }
          return;
        }
        await moveInto(scratch.path, output);
        const { size } = await stat(output);
        if (screen.json)
          return screen.printJson({
            tenant: id,
            file: output,
            sizeBytes: size,
            ...(manifest && { manifest }),
          });
        await screen.print(`exported ${id} to ${output}, ${bytesText(size)}`);
      });
    });
}

/** SQLite takes an empty file for an empty database; who imports one has named the wrong file. */
async function refuseEmpty(path: string, file: string): Promise<void> {
  if ((await stat(path)).size > 0) return;
  throw new TenantryError("IMPORT_INVALID", `${file === STDIN ? "stdin" : file} is empty.`, {
    hint: "An empty tenant is made with: tenantry tenants create",
  });
}

/** All of the file, or none of it, appears at `to`, which may be on another disk. */
async function moveInto(from: string, to: string): Promise<void> {
  const partial = `${to}.${process.pid}.partial`;
  try {
    await copyFile(from, partial);
    await rename(partial, to);
  } finally {
    await rm(partial, { force: true });
  }
}
