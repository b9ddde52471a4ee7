// Owns what every command needs: the settings, the screen, and a Tenantry that is open while it runs.
// Knows no command.
import { stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { durabilityOfServer } from "../backups/replication-gate.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { createTenantry, type Tenantry } from "../tenantry.ts";
import type { TenantryOptions } from "../tenantry-options.ts";
import { libsqlFromSettings } from "./libsql-settings.ts";
import { EXIT_DONE, EXIT_FAILED, WrongUse } from "./report-error.ts";
import { RunningServer } from "./running-server.ts";
import type { Screen } from "./screen.ts";

export const DEFAULT_DATA = "./data";
export const DEFAULT_MIGRATIONS = "./migrations";

/** Settings of every command. */
export interface GlobalSettings {
  readonly data: string;
  readonly migrations: string;
  readonly replica?: string;
  readonly snapshots?: string;
  readonly libsqlUrl?: string;
}

/** How a command opens the data folder. */
export interface OpenOptions extends Omit<TenantryOptions, "data" | "migrations"> {
  /** Make the folder if it is not there. @default false: refuse */
  readonly create?: boolean;
  /** Read the migrations of the settings, or of a folder: for who opens tenants' databases. @default false */
  readonly migrations?: boolean | string;
}

/** What commands work with. */
export class Cli {
  readonly screen: Screen;
  readonly #program: Command;
  #exitCode = EXIT_DONE;

  constructor(program: Command, screen: Screen) {
    this.#program = program;
    this.screen = screen;
  }

  get settings(): GlobalSettings {
    return this.#program.opts<GlobalSettings>();
  }

  /** 1 after {@link fail}, else 0. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** Ends the process with 1 in the end, where a command has reported what failed itself. */
  fail(): void {
    this.#exitCode = EXIT_FAILED;
  }

  /** Who acts, for the audit log. */
  get actor(): string {
    try {
      return `cli ${userInfo().username}`;
    } catch {
      // In a container the user may have no name.
      return "cli";
    }
  }

  /** The server that runs on the data folder; undefined where there is none, and the folder is ours to work on. */
  server(): Promise<RunningServer | undefined> {
    return RunningServer.find(resolve(this.settings.data), this.actor);
  }

  /** Opens the data folder. The caller closes it. @throws {TenantryError} `DATABASE_*`, `MIGRATIONS_INVALID` */
  async open({ create = false, migrations = false, ...options }: OpenOptions = {}): Promise<Tenantry> {
    const { data, migrations: folder, replica, snapshots, libsqlUrl } = this.settings;
    if (!create && !(await isDataFolder(data))) {
      throw new WrongUse(
        `There is no data folder at "${data}".`,
        "Name it with --data DIR or TENANTRY_DATA; creating a tenant makes a new one.",
      );
    }
    const from = migrations === true ? folder : migrations || undefined;
    const driver = libsqlFromSettings(libsqlUrl);
    try {
      return await createTenantry({
        data,
        migrations: from,
        replica: replica || undefined,
        snapshots: snapshots || undefined,
        driver,
        ...options,
      });
    } catch (error) {
      if (!isTenantryError(error) || !error.code.startsWith("DATABASE_")) throw error;
      // Nothing but the catalog has been opened, and its errors do not say so.
      throw new TenantryError(error.code, `The catalog, ${join(data, "catalog.db")}: ${error.message}`, {
        cause: error,
        ...(error.hint !== undefined && { hint: error.hint }),
      });
    }
  }

  /**
   * Runs `fn` with the data folder open, and closes it whatever happens. What is written is acknowledged by the rule
   * of the server that replicates the folder, if there is one.
   */
  async use<T>(options: OpenOptions, fn: (tenantry: Tenantry) => Promise<T>): Promise<T> {
    const durability = await durabilityOfServer(resolve(this.settings.data));
    await using tenantry = await this.open({ durability, ...options });
    return await fn(tenantry);
  }
}

/** Whether a catalog is there. */
export async function isDataFolder(dir: string): Promise<boolean> {
  try {
    return (await stat(join(dir, "catalog.db"))).isFile();
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return false;
    throw error;
  }
}
