// Owns `tenantry query`: one statement on a tenant's database, behind the guard that HTTP's callers meet.
// Does not lay out rows.
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { toResult } from "../database/tenant-database.ts";
import { guardStatement } from "../sql/guard.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { wholeNumber } from "./quantity.ts";
import { WrongUse } from "./report-error.ts";
import { printResult } from "./result-view.ts";

/** Rows of an answer unless `--max-rows` says otherwise. */
export const DEFAULT_MAX_ROWS = 100_000;

/** Stands for stdin. */
const STDIN = "-";

interface QueryOptions {
  readonly params?: string;
  readonly maxRows: number;
}

/** Adds `query`. */
export function queryCommand(program: Command, cli: Cli): void {
  program
    .command("query")
    .description("run one SQL statement on a tenant's database")
    .argument("<tenant>")
    .argument("<sql>", "the statement, or - for stdin")
    .option("--params <json>", "values for its parameters, as a JSON list")
    .option("--max-rows <n>", "rows of the answer at most", wholeNumber(1), DEFAULT_MAX_ROWS)
    .addHelpText(
      "after",
      examples([
        ['tenantry query acme "SELECT count(*) FROM customers"', "a table"],
        [`tenantry query acme "SELECT * FROM customers WHERE id = ?" --params '[1]' --json`, "D1's result"],
        ["tenantry query acme - < report.sql", "from a file"],
      ]),
    )
    .action(async (name: string, given: string, { params, maxRows }: QueryOptions) => {
      const tenant = parseTenantId(name);
      const values = params === undefined ? [] : parseParams(params);
      const sql = given === STDIN ? await text(process.stdin) : given;
      const { screen } = cli;
      await cli.use({ migrations: true }, async ({ tenants }) => {
        const { needs } = guardStatement(sql);
        const result = await tenants
          .runner(tenant)
          .run(
            { sql, params: values },
            { rows: screen.json ? "objects" : "arrays", readOnly: needs === "read", maxRows },
          );
        if (screen.json) await screen.printJson(toResult(result));
        else await printResult(screen, result);
      });
    });
}

function parseParams(json: string): unknown[] {
  let values: unknown;
  try {
    values = JSON.parse(json);
  } catch (error) {
    throw new WrongUse(
      `--params is not JSON: ${error instanceof Error ? error.message : String(error)}.`,
      `Quote it for the shell: --params '[1, "two", null]'`,
    );
  }
  if (Array.isArray(values)) return values;
  throw new WrongUse("--params is not a list.", `Parameters are positional: --params '[1, "two", null]'`);
}
