// Owns making a database of SQL text in a process of its own: what the text makes SQLite do can be ended, and keeps
// nobody else waiting. The process is load-dump-entry.ts.
import { spawn } from "node:child_process";
import { extname } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type ErrorCode, TenantryError } from "../../../tenantry-error.ts";
import type { LoadDumpOptions } from "../../driver.ts";

/** Milliseconds that a dump may take to be loaded. */
export const DEFAULT_LOAD_DUMP_TIMEOUT_MS = 600_000;

/** Megabytes of the process's own objects: one statement, and what is read of the next. */
const MAX_HEAP_MB = 1_024;

/** What the process is started with, as JSON. */
export interface LoadDumpJob {
  readonly from: string;
  readonly to: string;
  /** 0 for no limit. */
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** What the process says in the end, as JSON. */
export type LoadDumpOutcome =
  | { readonly statements: number }
  | { readonly code: ErrorCode; readonly message: string; readonly hint?: string };

/**
 * Makes a new database at `to` of the SQL text at `from`, wholly or not at all.
 * @throws {TenantryError} `IMPORT_INVALID`, `DATABASE_FULL`, `STATEMENT_TIMEOUT`
 */
export async function loadDump(
  from: string,
  to: string,
  { maxBytes = 0, timeoutMs = DEFAULT_LOAD_DUMP_TIMEOUT_MS }: LoadDumpOptions = {},
): Promise<void> {
  const entry = fileURLToPath(new URL(`./load-dump-entry${extname(import.meta.filename)}`, import.meta.url));
  const job: LoadDumpJob = { from, to, maxBytes, timeoutMs };
  const child = spawn(process.execPath, [`--max-old-space-size=${MAX_HEAP_MB}`, entry, JSON.stringify(job)], {
    // Output, errors, and the lifeline, on which nothing is ever said.
    stdio: ["ignore", "pipe", "inherit", "pipe"],
    // Nothing that the text could find out about this process.
    env: { NODE_NO_WARNINGS: "1" },
  });
  const ended = Promise.withResolvers<NodeJS.Signals | null>();
  child.once("error", ended.reject);
  child.once("close", (_code, signal) => ended.resolve(signal));
  child.stdio[3]?.on("error", () => {});
  const [signal, said] = await Promise.all([ended.promise, text(child.stdout as Readable)]);
  if (said === "") throw signal === "SIGKILL" ? tooLong(timeoutMs) : crashed(signal);
  const outcome = JSON.parse(said) as LoadDumpOutcome;
  if ("statements" in outcome) return;
  const { code, message, hint } = outcome;
  throw new TenantryError(code, message, { ...(hint !== undefined && { hint }) });
}

function tooLong(timeoutMs: number): TenantryError {
  return new TenantryError("STATEMENT_TIMEOUT", `The dump took longer than ${timeoutMs} ms to load.`, {
    hint: "Bring the database in as a file.",
  });
}

function crashed(signal: NodeJS.Signals | null): TenantryError {
  return new TenantryError(
    "IMPORT_INVALID",
    `The process that loaded the dump ended${signal ? ` with ${signal}` : ""}.`,
    {
      hint: "It may have needed more memory than there is: bring the database in as a file.",
    },
  );
}
