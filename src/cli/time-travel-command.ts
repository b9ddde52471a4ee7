// Owns `tenantry bookmark` and `tenantry rewind`: databases whose service keeps their past, taken back to it.
// Files have snapshots and replicas: restore-command.ts.
import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { BOOKMARK } from "../drivers/bookmark.ts";
import { confirm } from "./confirm.ts";
import { d1FromEnvironment } from "./copy-places.ts";
import { examples } from "./examples.ts";
import { otherTenant } from "./other-tenantry.ts";
import { WrongUse } from "./report-error.ts";

/** A database with a past. */
interface TravelPlace {
  bookmark(at?: Date): Promise<string>;
  /** Gives the bookmark that undoes it. */
  restore(to: { readonly bookmark: string } | { readonly at: Date }): Promise<string>;
}

const TIME = /^\d{4}-\d{2}-\d{2}(?:$|T)/;

/** Adds `bookmark` and `rewind`. */
export function timeTravelCommands(program: Command, cli: Cli): void {
  program
    .command("bookmark")
    .description("where a database is in time, at Cloudflare: for rewind")
    .argument("<place>", "do:https://tenants.example.com/acme, or d1:NAME")
    .option("--at <time>", "where it was then, such as 2026-11-22T08:00:00Z")
    .action(async (place: string, { at }: { at?: string }) => {
      const bookmark = await travelPlace(place).bookmark(at === undefined ? undefined : timeOf(at));
      if (cli.screen.json) return cli.screen.printJson({ place, bookmark });
      await cli.screen.print(bookmark);
    });
  program
    .command("rewind")
    .description("take a database at Cloudflare back to a bookmark or a time, in place")
    .argument("<place>", "do:https://tenants.example.com/acme, or d1:NAME")
    .requiredOption("--to <bookmark or time>", "such as 2026-11-22T08:00:00Z; 30 days are kept")
    .option("--yes", "do not ask")
    .addHelpText(
      "after",
      examples([
        ["tenantry bookmark d1:acme", "before something that may have to be undone"],
        ["tenantry rewind d1:acme --to 2026-11-22T08:00:00Z --yes", "prints the bookmark that undoes it"],
      ]),
    )
    .action(async (place: string, { to, yes = false }: { to: string; yes?: boolean }) => {
      const target = travelPlace(place);
      const point = TIME.test(to) || !BOOKMARK.test(to) ? { at: timeOf(to) } : { bookmark: to };
      if (
        !yes &&
        !(await confirm(cli.screen, `Take ${place} back to ${to}, and lose what was written since?`))
      ) {
        cli.screen.note("Nothing is done.");
        return cli.fail();
      }
      const undo = await target.restore(point);
      if (cli.screen.json) return cli.screen.printJson({ place, to, undo });
      await cli.screen.print(`rewound ${place} to ${to}; to undo it: tenantry rewind ${place} --to ${undo}`);
    });
}

/** @throws {WrongUse} for words that name no place */
function travelPlace(text: string): TravelPlace {
  const [, kind = "", rest = ""] = /^([a-z0-9]+):(.+)$/s.exec(text) ?? [];
  if (kind === "d1") {
    const { maintenance } = d1FromEnvironment();
    return {
      bookmark: (at) => maintenance.bookmark(rest, at),
      restore: (to) => maintenance.restore(rest, to),
    };
  }
  if (kind === "do" || kind === "tenantry") {
    const { ask, tenant } = otherTenant(rest);
    return {
      async bookmark(at) {
        const query = at === undefined ? "" : `?at=${encodeURIComponent(at.toISOString())}`;
        return (await ask<{ bookmark: string }>("GET", `/${tenant}/bookmark${query}`)).bookmark;
      },
      async restore(to) {
        const body = "at" in to ? { at: to.at.toISOString() } : to;
        return (await ask<{ undo: string }>("POST", `/${tenant}/rewind`, body)).undo;
      },
    };
  }
  throw new WrongUse(
    `"${text}" names no database with a past.`,
    "Say do:https://tenants.example.com/acme, or d1:acme.",
  );
}

function timeOf(text: string): Date {
  const at = new Date(text);
  if (!Number.isNaN(at.getTime())) return at;
  throw new WrongUse(`"${text}" is neither a bookmark nor a time.`, "Say it as 2026-11-22T08:00:00Z.");
}
