// Owns a tenant's object whose storage keeps its past, as Cloudflare's does and workerd's does not: what its bookmarks
// stand for is kept beside it, and put back when it begins anew. All else is the real object's.
import { TenantObject } from "../../src/driver-durable-object.ts";
import type { ObjectContext, ObjectStorage } from "../../src/drivers/durable-object/object-storage.ts";

interface Table {
  readonly name: string;
  readonly sql: string;
  readonly rows: unknown[][];
}

interface Moment {
  readonly bookmark: string;
  readonly at: number;
  readonly tables: Table[];
  readonly values: [string, unknown][];
}

interface Past {
  readonly moments: Moment[];
  /** Where the next session begins, and the bookmark of what is there until then. */
  next?: { readonly to: Moment; readonly undo: string };
}

/** By object: a session ends, and the isolate stays. */
const pasts = new Map<string, Past>();
let bookmarks = 0;
const newBookmark = (): string => (++bookmarks).toString(16).padStart(8, "0");

/** An object with a past. */
export class ObjectWithPast extends TenantObject {
  constructor(ctx: ObjectContext & { readonly id: { toString(): string } }, env: unknown) {
    const storage = ctx.storage as ObjectStorage;
    const past: Past = pasts.get(ctx.id.toString()) ?? { moments: [] };
    pasts.set(ctx.id.toString(), past);
    const keep = (bookmark: string): string => {
      past.moments.push({ bookmark, at: Date.now(), ...contentOf(storage) });
      return bookmark;
    };
    if (past.next) {
      keep(past.next.undo);
      putBack(storage, past.next.to);
      delete past.next;
    }
    Object.assign(storage, {
      getCurrentBookmark: async () => keep(newBookmark()),
      async getBookmarkForTime(at: number) {
        const found = past.moments.findLast((moment) => moment.at <= at);
        if (found) return found.bookmark;
        throw new Error("The time is too long ago.");
      },
      async onNextSessionRestoreBookmark(bookmark: string) {
        const to = past.moments.find((moment) => moment.bookmark === bookmark);
        if (!to) throw new Error("There is no such bookmark.");
        past.next = { to, undo: newBookmark() };
        return past.next.undo;
      },
    } satisfies Partial<ObjectStorage>);
    super(ctx, env);
  }
}

const TABLES = `SELECT name, sql FROM sqlite_schema
  WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'`;

function contentOf({ sql, kv }: ObjectStorage): Pick<Moment, "tables" | "values"> {
  const tables = sql.exec(TABLES).raw().toArray() as [string, string][];
  return {
    tables: tables.map(([name, text]) => {
      return { name, sql: text, rows: sql.exec(`SELECT * FROM "${name}"`).raw().toArray() };
    }),
    values: [...kv.list<unknown>({ prefix: "", end: "\u{10ffff}", limit: 1000 })],
  };
}

function putBack(storage: ObjectStorage, { tables, values }: Moment): void {
  const { sql, kv } = storage;
  const now = contentOf(storage);
  for (const { name } of now.tables) sql.exec(`DROP TABLE "${name}"`);
  for (const [key] of now.values) kv.delete(key);
  for (const { name, sql: text, rows } of tables) {
    sql.exec(text);
    for (const row of rows)
      sql.exec(`INSERT INTO "${name}" VALUES (${row.map(() => "?").join(", ")})`, ...row);
  }
  for (const [key, value] of values) kv.put(key, value);
}
