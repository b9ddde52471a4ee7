// Owns a run of Litestream's program to its end: its arguments, its answer, and what its errors mean.
// Knows no tenants. No password of a URL is in the errors.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { TenantryError } from "../tenantry-error.ts";
import { PRIVATE_FOLDER } from "./leftover-processes.ts";
import { type LitestreamBinary, litestreamEnv } from "./litestream-binary.ts";
import { litestreamWords } from "./litestream-words.ts";

/** What a run failed with, before anybody knows what it means. */
export class LitestreamFailure extends Error {
  override readonly name = "LitestreamFailure";
}

/** What it logs; some of its commands do so among their answer. */
const LOG_LINE = /^time=\S+ level=.*\n?/gm;

/** Milliseconds that a listing may take. Its clients of Azure and of Google try for ever to reach what is away. */
const LIST_TIMEOUT_MS = 20_000;

/**
 * Runs Litestream and gives what it answered. The password of an sftp URL is kept from the list of processes.
 * @param args a command, its options, and last the URL of a replica
 * @throws {LitestreamFailure} its own last words
 */
export async function runLitestream(
  binary: LitestreamBinary,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const [command = "", ...options] = args;
  const url = options.pop() ?? "";
  if (!url.startsWith("sftp://")) return run(binary, args, signal);
  const dir = await mkdtemp(join(tmpdir(), PRIVATE_FOLDER));
  try {
    // JSON is YAML. Nothing is at the path: it is what the replica is called by.
    const path = join(dir, "replica");
    const config = join(dir, "litestream.yml");
    await writeFile(config, JSON.stringify({ dbs: [{ path, replica: sftpReplica(url) }] }), { mode: 0o600 });
    return await run(binary, [command, "-config", config, "-no-expand-env", ...options, path], signal);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * A replica as it is written into a configuration. A database that is registered by an sftp URL lies where the server's
 * user begins; of the same URL in a configuration or an argument Litestream takes the path from the root of the disk.
 */
function sftpReplica(url: string): Readonly<Record<string, string>> {
  const { host, username, password, pathname } = new URL(url);
  return {
    type: "sftp",
    host,
    user: decodeURIComponent(username),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    path: pathname.replace(/^\//, ""),
  };
}

async function run(
  { path }: LitestreamBinary,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  signal?.throwIfAborted();
  const child = spawn(path, args, {
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    env: litestreamEnv(),
    // It writes nothing that would have to be put in order.
    ...(args[0] === "ltx" && { timeout: LIST_TIMEOUT_MS, killSignal: "SIGKILL" }),
  });
  const exit = Promise.withResolvers<number | null>();
  child.once("error", exit.reject);
  child.once("close", exit.resolve);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit.promise]);
  if (child.signalCode !== null) throw new LitestreamFailure(`timed out, or ended by ${child.signalCode}`);
  if (code === 0) return stdout.replaceAll(LOG_LINE, "");
  const words = litestreamWords(stderr) || `exit code ${code}`;
  throw new LitestreamFailure(words.replaceAll(/:\/\/[^/@\s]+@/g, "://"));
}

/** What can be wrong on the way to a replica, by Litestream's and the services' words. */
const UNREACHABLE =
  /connection refused|connection reset|no such host|timeout|timed out|deadline exceeded|AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|NoSuchBucket|ContainerNotFound|bucket doesn't exist|(?:StatusCode:|was answered|googleapi: Error) (?:4(?:01|03)|5\d\d)|aws config|credentials|handshake|permission denied/i;

/** The error of ours for a failure while `what` was read, such as `Tenant "acme" in s3://bucket/tenants`. */
export function fromLitestream(error: unknown, what: string): unknown {
  if (!(error instanceof LitestreamFailure)) return error;
  const { message } = error;
  if (/no space left on device|disk quota/i.test(message)) {
    return new TenantryError("DATABASE_FULL", `The disk is full: ${what} cannot be restored.`, {
      hint: "Free some disk space: a restore needs room for the whole database beside the present one.",
      cause: error,
    });
  }
  if (UNREACHABLE.test(message)) {
    return new TenantryError("BACKUPS_UNAVAILABLE", `${what} cannot be read: ${message}.`, {
      hint: "Check the replica's URL, its credentials and the network.",
      retryAfterSeconds: 10,
      cause: error,
    });
  }
  return new TenantryError("REPLICA_DAMAGED", `${what} is damaged: ${message}.`, {
    hint: "Nothing has changed here. Restore an earlier moment with --at, or a snapshot.",
    cause: error,
  });
}

/** Whether a later try may find all files there: what was listed has been compacted meanwhile. */
export function isRace(error: unknown): boolean {
  return (
    error instanceof LitestreamFailure &&
    /no such file|not found|does not exist|NoSuchKey|non-contiguous/i.test(error.message) &&
    !/timestamp does not exist/.test(error.message)
  );
}
