// Owns whole databases over HTTP: a SQLite file comes in as a tenant, a consistent copy goes out.
// For servers whose databases are files; a Worker does not mount it.
import { createReadStream, createWriteStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Hono } from "hono";
import type { DatabaseFiles, ScratchFile } from "../drivers/driver.ts";
import { rethrowAsOurs } from "../drivers/local/database-file.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import { actorOf, tenantOf } from "./admin-routes.ts";
import type { AdminEnv } from "./env.ts";
import { printError } from "./shown-error.ts";
import { chunksOf, tooLarge } from "./read-body.ts";

/** Bytes of an uploaded database, unless the operator says otherwise. */
export const DEFAULT_MAX_IMPORT_BYTES = 1024 * 1024 * 1024;

/** What the routes work on. */
export interface FileRoutesOptions {
  readonly files: DatabaseFiles;
  readonly lifecycle: Lifecycle;
  /** Bytes of an uploaded file. */
  readonly maxImportBytes: number;
}

/** The first bytes of every SQLite 3 file. */
const MAGIC = "SQLite format 3\0";
/** The header of a SQLite file says how large its pages are, in two bytes: 1 stands for what does not fit. */
const HEADER_BYTES = 100;
const PAGE_SIZE_OFFSET = 16;
const MAX_PAGE_BYTES = 65_536;
const SQLITE_MEDIA_TYPE = "application/vnd.sqlite3";

/** `POST /tenants/:tenant/import` and `GET /tenants/:tenant/export`. @throws {TenantryError} `INVALID_OPTION` */
export function fileRoutes({ files, lifecycle, maxImportBytes }: FileRoutesOptions): Hono<AdminEnv> {
  if (!Number.isSafeInteger(maxImportBytes) || maxImportBytes < 1) {
    throw new TenantryError(
      "INVALID_OPTION",
      `maxImportBytes is a whole number from 1, not ${maxImportBytes}.`,
    );
  }
  return new Hono<AdminEnv>()
    .post("/tenants/:tenant/import", async (c) => {
      const id = tenantOf(c);
      const baseline = c.req.query("baseline");
      // Before a gigabyte is on its way; in the end the catalog decides.
      await lifecycle.assertFree(id);
      await using file = await files.scratch();
      await receive(c.req.raw, file.path, maxImportBytes);
      await assertSqlite(file.path);
      const record = await lifecycle.importFile(id, file.path, {
        ...actorOf(c),
        maxBytes: maxImportBytes,
        ...(baseline !== undefined && { baseline: baseline === "" || baseline === "all" ? true : baseline }),
      });
      return c.json(record, 201, { location: `/admin/tenants/${id}` });
    })
    .get("/tenants/:tenant/export", async (c) => {
      const id = tenantOf(c);
      const file = await files.scratch();
      try {
        await lifecycle.exportFile(id, file.path);
        const { size } = await stat(file.path);
        const headers = {
          "content-type": SQLITE_MEDIA_TYPE,
          "content-length": String(size),
          "content-disposition": `attachment; filename="${id}.db"`,
        };
        if (c.req.method === "HEAD") {
          await file[Symbol.asyncDispose]();
          return c.body(null, 200, headers);
        }
        const stream = createReadStream(file.path);
        // The copy goes when it has been sent, and also when nobody wanted the rest of it.
        stream.once("close", () => {
          void remove(file, (error) => printError(error, c.req));
        });
        return c.body(Readable.toWeb(stream) as ReadableStream, 200, headers);
      } catch (error) {
        await file[Symbol.asyncDispose]();
        throw error;
      }
    });
}

async function remove(file: ScratchFile, onError: (error: unknown) => void): Promise<void> {
  try {
    await file[Symbol.asyncDispose]();
  } catch (error) {
    onError(error);
  }
}

async function receive({ body, headers }: Request, path: string, maxBytes: number): Promise<void> {
  if (Number(headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (body === null) throw notSqlite("There is no body.");
  await pipeline(chunksOf(body, maxBytes), createWriteStream(path, { flags: "wx" })).catch(rethrowAsOurs);
}

/** Sees what SQLite would not: it fills a last page that is cut off with zeros. */
async function assertSqlite(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await file.read(header, 0, HEADER_BYTES, 0);
    if (bytesRead === 0) throw notSqlite("It is empty.");
    // What does not begin as a database does may be SQL text: the lifecycle finds out.
    if (bytesRead < MAGIC.length || header.toString("latin1", 0, MAGIC.length) !== MAGIC) return;
    const field = header.readUInt16BE(PAGE_SIZE_OFFSET);
    const pageBytes = field === 1 ? MAX_PAGE_BYTES : field;
    const { size } = await file.stat();
    if (bytesRead < HEADER_BYTES || size % pageBytes !== 0) throw notSqlite("It is cut off.");
  } finally {
    await file.close();
  }
}

function notSqlite(message: string): TenantryError {
  return new TenantryError("IMPORT_INVALID", `The body is not a SQLite database. ${message}`, {
    hint: "Send the file itself: curl --data-binary @acme.db -H 'Content-Type: application/vnd.sqlite3' …",
  });
}
