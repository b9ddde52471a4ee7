// Owns what D1 offers for a whole database by REST: time travel, export and import of SQL, which are polled.
// For Node, as files are of this machine.
import { createHash } from "node:crypto";
import { createReadStream, openAsBlob } from "node:fs";
import { isTenantryError, TenantryError } from "../../tenantry-error.ts";
import type { RestApi } from "./rest-api.ts";

/** Milliseconds between two questions whether it is done. */
const POLL_MS = 1_000;

/** What can be done with a tenant's database as a whole. */
export interface D1Maintenance {
  /** Where the database is now, or was at a time. */
  bookmark(name: string, at?: Date): Promise<string>;
  /** Takes the database back, in place, up to 30 days. Gives the bookmark of before, by which it can be undone. */
  restore(name: string, to: { readonly bookmark: string } | { readonly at: Date }): Promise<string>;
  /** The database as SQL. While it is made, the database answers nobody. */
  exportSql(name: string): Promise<ReadableStream<Uint8Array>>;
  /** Runs a file of SQL on the database; how many statements it was. */
  importSql(name: string, path: string): Promise<number>;
}

/** @param pollMs between two questions whether it is done */
export function d1Maintenance(
  api: RestApi,
  idOf: (name: string) => Promise<string>,
  pollMs = POLL_MS,
): D1Maintenance {
  const account = { account_id: api.accountId };

  /** Asks until it is complete. @throws {TenantryError} `DATABASE_UNREACHABLE` where D1 gives up */
  const poll = async (
    name: string,
    ask: (bookmark: string | undefined) => Promise<Record<string, unknown>>,
  ): Promise<Record<string, unknown>> => {
    let bookmark: string | undefined;
    for (;;) {
      const answer = await ask(bookmark);
      const { status, error, result, at_bookmark: at } = answer;
      if (status === "complete") return (result ?? answer) as Record<string, unknown>;
      if (status === "error" || typeof error === "string") {
        throw new TenantryError("SQL_ERROR", `D1 gave up on "${name}": ${String(error)}`);
      }
      bookmark = typeof at === "string" ? at : bookmark;
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, pollMs);
      await promise;
    }
  };

  return {
    async bookmark(name, at) {
      const id = await idOf(name);
      const { bookmark = "" } = await api.call(name, false, (d1) =>
        d1.timeTravel.getBookmark(id, { ...account, ...(at && { timestamp: at.toISOString() }) }),
      );
      return bookmark;
    },
    async restore(name, to) {
      const id = await idOf(name);
      const params = "at" in to ? { timestamp: to.at.toISOString() } : { bookmark: to.bookmark };
      const { previous_bookmark: before = "" } = await api.call(name, true, (d1) =>
        d1.timeTravel.restore(id, { ...account, ...params }),
      );
      return before;
    },
    async exportSql(name) {
      const id = await idOf(name);
      const done = await poll(name, (bookmark) =>
        api.call(name, false, (d1) =>
          d1.export(id, {
            ...account,
            output_format: "polling",
            ...(bookmark && { current_bookmark: bookmark }),
          }),
        ),
      );
      const response = await fetch(String(done["signed_url"]));
      if (response.ok && response.body) return response.body;
      throw lost(name, response.status);
    },
    async importSql(name, path) {
      const id = await idOf(name);
      const etag = await md5(path);
      const call = (writes: boolean, params: Record<string, unknown>): Promise<Record<string, unknown>> =>
        api.call(name, writes, (d1) => d1.import(id, { ...account, ...params }));
      const { upload_url: url, filename } = await call(false, { action: "init", etag });
      // Without an address D1 has a file of that content already.
      if (typeof url === "string") {
        const sent = await fetch(url, { method: "PUT", body: await openAsBlob(path) });
        if (!sent.ok) throw lost(name, sent.status);
      }
      let began: Record<string, unknown> | undefined = await call(true, {
        action: "ingest",
        etag,
        filename,
      }).catch((error: unknown) => {
        // Whether it began is what polling tells.
        if (!isTenantryError(error, "OUTCOME_UNKNOWN")) throw error;
        return undefined;
      });
      const done = await poll(name, async (bookmark) => {
        const first = began;
        began = undefined;
        return first ?? call(false, { action: "poll", current_bookmark: bookmark });
      });
      return Number(done["num_queries"] ?? 0);
    },
  };
}

async function md5(path: string): Promise<string> {
  const hash = createHash("md5");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function lost(name: string, status: number): TenantryError {
  return new TenantryError("DATABASE_UNREACHABLE", `The storage for "${name}" answered ${status}.`, {
    hint: "Try again in a moment.",
    retryAfterSeconds: 1,
  });
}
