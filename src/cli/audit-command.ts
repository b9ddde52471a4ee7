// Owns `tenantry audit`: who did what to which tenant.
// Writes nothing to it.
import type { Command } from "commander";
import { MAX_PAGE_LIMIT } from "../catalog/page-cursor.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { wholeNumber } from "./quantity.ts";
import { tableLines } from "./text-table.ts";

interface AuditOptions {
  readonly tenant?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

/** Adds `audit list`. */
export function auditCommand(program: Command, cli: Cli): void {
  program
    .command("audit")
    .description("the record of administrative acts")
    .command("list")
    .alias("ls")
    .description("list acts, newest first")
    .option("--tenant <tenant>", "only acts on this tenant")
    .option(
      "--limit <n>",
      `acts of a page, up to ${MAX_PAGE_LIMIT} (default: 100)`,
      wholeNumber(1, MAX_PAGE_LIMIT),
    )
    .option("--cursor <cursor>", "the page after the one that printed this cursor")
    .addHelpText(
      "after",
      examples([["tenantry audit list --tenant acme --limit 10", "what happened to acme"]]),
    )
    .action(({ tenant, limit, cursor }: AuditOptions) =>
      cli.use({}, async ({ catalog }) => {
        const { screen } = cli;
        const page = await catalog.listAudit({
          limit,
          cursor,
          ...(tenant !== undefined && { tenant: parseTenantId(tenant) }),
        });
        if (screen.json) return screen.printJson(page);
        if (page.entries.length === 0) return screen.note("Nothing is recorded.");
        const lines = tableLines(
          [
            { header: "WHEN (UTC)", whole: true },
            { header: "WHO" },
            { header: "WHAT", whole: true },
            { header: "TENANT" },
            { header: "DETAIL" },
          ],
          page.entries.map(({ at, actor, action, tenant: on, detail }) => [
            new Date(at).toISOString().slice(0, 19).replace("T", " "),
            actor,
            action,
            on ?? "-",
            JSON.stringify(detail) === "{}" ? "" : JSON.stringify(detail),
          ]),
          { width: screen.width, styleHeader: (text) => screen.style("bold", text) },
        );
        await screen.print(lines.join("\n"));
        if (page.cursor !== null) screen.note(`There are more: --cursor ${page.cursor}`);
      }),
    );
}
