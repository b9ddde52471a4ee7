// Owns `tenantry tenants limit`, `block`, `unblock` and `jwt-key`: what an operator sets for single tenants.
// Decides nothing about what makes sense: the lifecycle does.
import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import {
  TENANT_BLOCKS,
  TENANT_DURABILITIES,
  type TenantBlock,
  type TenantDurability,
} from "../catalog/tenant-record.ts";
import { databasePath } from "../drivers/local/database-file.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { wholeNumber } from "./quantity.ts";
import { WrongUse } from "./report-error.ts";
import { eachTenant, showTenant } from "./tenant-report.ts";

/** Takes a tenant's own limit, or its key, away. */
const NONE = "none";

/** Commander takes null for a value that was left out. */
type Limit = number | typeof NONE;

function limit(text: string): Limit {
  return text === NONE ? NONE : wholeNumber(1)(text);
}

/** What the catalog keeps of a limit: null for none of its own; undefined where it stays. */
function setting(given: Limit | undefined): number | null | undefined {
  return given === NONE ? null : given;
}

interface LimitOptions {
  readonly transactions?: Limit;
  readonly size?: Limit;
}

/** Adds the commands. */
export function settingsCommands(tenants: Command, cli: Cli): void {
  tenants
    .command("limit")
    .description("set how long a tenant's requests may take, and how large it may grow")
    .argument("<tenant>")
    .argument("[ms]", "milliseconds of a request, or none for the server's own limit", limit)
    .option("--transactions <ms>", "milliseconds that a transaction may be open, or none", limit)
    .option("--size <bytes>", "bytes that its database may grow to, or none", limit)
    .addHelpText(
      "after",
      examples([
        ["tenantry tenants limit acme 30000", "requests of acme may take 30 s"],
        ["tenantry tenants limit acme --size 1000000000", "and it may grow to 1 GB"],
        ["tenantry tenants limit acme none --size none", "neither any more"],
      ]),
    )
    .action((name: string, ms: Limit | undefined, { transactions, size }: LimitOptions) => {
      if (ms === undefined && transactions === undefined && size === undefined) {
        throw new WrongUse("No limit is named.", "Give milliseconds, --transactions or --size.");
      }
      return cli.use({}, async ({ catalog, driver, lifecycle }) => {
        const record = await lifecycle.configure(
          parseTenantId(name),
          {
            statementTimeoutMs: setting(ms),
            transactionTimeoutMs: setting(transactions),
            maxBytes: setting(size),
          },
          { actor: cli.actor },
        );
        const { id } = record;
        await showTenant(cli, record, await catalog.aliasesOf(id), databasePath(driver.dir, id));
      });
    });

  tenants
    .command("block")
    .description("let nobody write to tenants, or read them either, until they are unblocked")
    .argument("<tenants...>")
    .addOption(new Option("--what <what>", "what nobody can do").choices(TENANT_BLOCKS).default("writes"))
    .option("--reason <text>", "why, for whoever meets it")
    .action((names: string[], { what, reason }: { what: TenantBlock; reason?: string }) =>
      cli.use({}, ({ lifecycle }) =>
        eachTenant(cli, names, "blocked", (id) =>
          lifecycle.configure(id, { blocked: what, blockReason: reason ?? null }, { actor: cli.actor }),
        ),
      ),
    );

  tenants
    .command("unblock")
    .description("let callers do again what their credentials say")
    .argument("<tenants...>")
    .action((names: string[]) =>
      cli.use({}, ({ lifecycle }) =>
        eachTenant(cli, names, "unblocked", (id) =>
          lifecycle.configure(id, { blocked: null }, { actor: cli.actor }),
        ),
      ),
    );

  tenants
    .command("durability")
    .description(
      "set when writes of tenants are acknowledged: once they are committed, or in the replica, too",
    )
    .argument("<tenants...>")
    .addOption(
      new Option("--when <when>", "none for the server's own rule")
        .choices([...TENANT_DURABILITIES, NONE])
        .makeOptionMandatory(),
    )
    .addHelpText(
      "after",
      examples([["tenantry tenants durability acme --when replicated", "no write of acme is lost"]]),
    )
    .action((names: string[], { when }: { when: TenantDurability | typeof NONE }) =>
      cli.use({}, ({ lifecycle }) =>
        eachTenant(cli, names, "set the durability of", (id) =>
          lifecycle.configure(id, { durability: when === NONE ? null : when }, { actor: cli.actor }),
        ),
      ),
    );

  tenants
    .command("jwt-key")
    .description("set a public key whose tokens are good for one tenant alone, besides the server's")
    .argument("<tenant>")
    .argument("<file>", "an Ed25519 public key, such as one written by token keygen; or none")
    .action((name: string, file: string) =>
      cli.use({}, async ({ lifecycle }) => {
        const jwtKey = file === NONE ? null : (await readFile(file, "utf8")).trim();
        return eachTenant(cli, [name], jwtKey === null ? "took the key from" : "gave the key to", (id) =>
          lifecycle.configure(id, { jwtKey }, { actor: cli.actor }),
        );
      }),
    );
}
