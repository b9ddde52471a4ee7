// Owns the process that synchronises replicas, one after the other: libSQL's native library stops the process that it
// is in until the primary has answered, with no limit. Is started by libsql-synchroniser.ts, and ends with who did.
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { type LibsqlClient, loadLibsql } from "./libsql-library.ts";
import { mendReplica, type SyncProtocol } from "./libsql-replica-file.ts";

/** A replica to be synchronised. */
export interface SyncJob {
  /** The replica's `file:` URL. */
  readonly url: string;
  /** The path of the same. */
  readonly path: string;
  /** The primary, without a slash at the end. */
  readonly primary: string;
  readonly protocol: SyncProtocol;
  readonly token?: string | undefined;
}

/** What the process answers: nothing but what went wrong. */
export interface SyncAnswer {
  readonly error?: { readonly message: string; readonly code: string | undefined };
}

const program = new URL(`./libsql-sync-lifeline${extname(import.meta.filename)}`, import.meta.url);
new Worker(program, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 16 } }).unref();

process.on("message", (job: SyncJob) => {
  synchronise(job)
    .then(
      (): SyncAnswer => ({}),
      (error: unknown): SyncAnswer => {
        const { message, code } = error as { message: string; code?: unknown };
        return { error: { message: String(message), code: typeof code === "string" ? code : undefined } };
      },
    )
    .then((answer) => {
      // The library lets go of a database when what stands for it is collected, and not when it is closed.
      gc?.();
      process.send?.(answer);
    });
});
process.on("disconnect", () => process.exit());

async function synchronise({ url, path, primary, protocol, token }: SyncJob): Promise<void> {
  await mendReplica(path, protocol);
  const { createClient } = await loadLibsql();
  let client: LibsqlClient | undefined;
  try {
    client = createClient({
      url,
      syncUrl: primary,
      intMode: "bigint",
      ...(token !== undefined && { authToken: token }),
    });
    await client.sync();
  } finally {
    client?.close();
  }
}
