// Owns what a shell does on a tenant's database: statements, transactions, and the commands that begin with a dot.
// Does not read lines.
import { readSchema } from "../database/schema.ts";
import type { ResultSet, SqlRunner } from "../drivers/driver.ts";
import { guardStatement } from "../sql/guard.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { LeasedSession } from "../tenants/tenants.ts";
import type { Tenantry } from "../tenantry.ts";
import { toResult } from "../database/tenant-database.ts";
import { manyLines } from "./display-text.ts";
import { DEFAULT_MAX_ROWS } from "./query-command.ts";
import { printResult } from "./result-view.ts";
import type { Screen } from "./screen.ts";
import type { ShellInput } from "./shell-input.ts";
import { tableLines } from "./text-table.ts";

const HELP = `.tables           list tables and views
.schema [table]   show how they are made
.help             this
.quit             leave; Ctrl-D does too
Everything else is SQL and ends with a semicolon. Ctrl-C drops what is typed.`;

/**
 * A shell's work. The database is leased for a statement, or for a transaction, and not in between: an open
 * shell keeps nobody from suspending the tenant.
 */
export class ShellSession implements AsyncDisposable {
  readonly #tenantry: Tenantry;
  readonly #tenant: TenantId;
  readonly #screen: Screen;
  #pinned: LeasedSession | undefined;

  constructor(tenantry: Tenantry, tenant: TenantId, screen: Screen) {
    this.#tenantry = tenantry;
    this.#tenant = tenant;
    this.#screen = screen;
  }

  get inTransaction(): boolean {
    return this.#pinned !== undefined;
  }

  /** Does one thing; false when it was to leave. @throws {TenantryError} what SQL throws */
  async run(input: ShellInput): Promise<boolean> {
    if (input.kind === "statement") {
      const result = await this.#statement(input.sql);
      await (this.#screen.json
        ? this.#screen.printJson(toResult(result))
        : printResult(this.#screen, result));
      return true;
    }
    switch (input.name) {
      case "quit":
      case "exit":
        return false;
      case "help":
        await this.#screen.print(HELP);
        return true;
      case "tables":
        await this.#tables();
        return true;
      case "schema":
        await this.#schema(input.argument);
        return true;
      default:
        throw new TenantryError("INVALID_ARGUMENT", `There is no command .${input.name}.`, {
          hint: "See .help.",
        });
    }
  }

  /** Rolls back what is open. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#pinned) return;
    if (this.#pinned.session.inTransaction) {
      this.#screen.note("The open transaction is rolled back.");
      await this.#pinned.session.run({ sql: "ROLLBACK", params: [] });
    }
    await this.#unpin();
  }

  async #statement(sql: string): Promise<ResultSet> {
    const { kind } = guardStatement(sql, { allowTransactions: true });
    const statement = { sql, params: [] };
    const options = {
      rows: this.#screen.json ? ("objects" as const) : ("arrays" as const),
      maxRows: DEFAULT_MAX_ROWS,
    };
    if (!this.#pinned && kind !== "transaction") return this.#runner().run(statement, options);
    const { session } = (this.#pinned ??= await this.#pin());
    try {
      return await session.run(statement, options);
    } finally {
      if (!session.inTransaction) await this.#unpin();
    }
  }

  #runner(): SqlRunner {
    return this.#pinned?.session ?? this.#tenantry.tenants.runner(this.#tenant);
  }

  #pin(): Promise<LeasedSession> {
    return this.#tenantry.tenants.session(this.#tenant);
  }

  async #unpin(): Promise<void> {
    const pinned = this.#pinned;
    this.#pinned = undefined;
    await pinned?.release();
  }

  async #tables(): Promise<void> {
    const { tables } = await readSchema(this.#runner());
    const listed = [...tables.values()].filter(({ internal }) => !internal);
    if (this.#screen.json) {
      return this.#screen.printJson(listed.map(({ name, kind }) => ({ name, kind })));
    }
    if (listed.length === 0) return this.#screen.note("No tables.");
    const lines = tableLines(
      [{ header: "NAME" }, { header: "KIND", whole: true }, { header: "COLUMNS" }],
      listed.map(({ name, kind, columns }) => [
        name,
        kind,
        columns
          .filter(({ hidden }) => !hidden)
          .map((column) => column.name)
          .join(", "),
      ]),
      { width: this.#screen.width, styleHeader: (text) => this.#screen.style("bold", text) },
    );
    await this.#screen.print(lines.join("\n"));
  }

  async #schema(table: string): Promise<void> {
    const { rows } = await this.#runner().run({
      sql: `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND (? = '' OR tbl_name = ? COLLATE NOCASE)
            ORDER BY tbl_name, type <> 'table', name`,
      params: [table, table],
    });
    const texts = (rows as { sql: string }[]).map(({ sql }) => `${sql};`);
    if (this.#screen.json) return this.#screen.printJson(texts);
    if (texts.length === 0 && table !== "") {
      throw new TenantryError("TABLE_NOT_FOUND", `There is no table ${JSON.stringify(table)}.`, {
        hint: "See .tables.",
      });
    }
    for (const text of texts) await this.#screen.print(manyLines(text));
  }
}
