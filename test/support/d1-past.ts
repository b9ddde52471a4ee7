// Owns the past of a D1 database behind the stand-in of Cloudflare's API: what was there when a bookmark was asked for,
// put back when it is restored. What nobody asked for a bookmark of is not remembered.
import type { D1Database } from "@cloudflare/workers-types";

interface Table {
  readonly name: string;
  readonly sql: string;
  readonly columns: string;
  readonly rows: unknown[][];
}

interface Moment {
  readonly bookmark: string;
  readonly at: number;
  readonly tables: Table[];
}

/** Tables and views, but for those of the runtime and of virtual tables. */
const OBJECTS = `SELECT type, name, sql FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'
  AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')`;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Drops all that is in a database. */
export async function emptyD1(db: D1Database): Promise<void> {
  for (;;) {
    const { results } = await db.prepare(OBJECTS).all<{ type: string; name: string }>();
    if (results.length === 0) return;
    await db.batch([
      db.prepare("PRAGMA defer_foreign_keys = ON"),
      ...results.map(({ type, name }) => db.prepare(`DROP ${type} ${quoted(name)}`)),
    ]);
  }
}

/** The past of one database of plain tables. */
export class D1Past {
  readonly #db: D1Database;
  readonly #moments: Moment[] = [];

  constructor(db: D1Database) {
    this.#db = db;
  }

  /** A bookmark of now, or of the last moment before a time that there is one of; of none, one that is nowhere. */
  async bookmark(timestamp?: string): Promise<string> {
    if (timestamp !== undefined) {
      const at = Date.parse(timestamp);
      return this.#moments.findLast((moment) => moment.at <= at)?.bookmark ?? "mark-0";
    }
    const bookmark = `mark-${this.#moments.length + 1}`;
    this.#moments.push({ bookmark, at: Date.now(), tables: await this.#tables() });
    return bookmark;
  }

  /** The bookmark that undoes it; undefined where there is no such moment. */
  async restore(bookmark: string): Promise<string | undefined> {
    const moment = this.#moments.find((one) => one.bookmark === bookmark);
    if (moment === undefined) return undefined;
    const undo = await this.bookmark();
    await emptyD1(this.#db);
    for (const { name, sql, columns, rows } of moment.tables) {
      const insert = `INSERT INTO ${quoted(name)} (${columns}) VALUES (${columns.replaceAll(/[^,]+/g, "?")})`;
      await this.#db.batch([
        this.#db.prepare(sql),
        ...rows.map((row) => this.#db.prepare(insert).bind(...row)),
      ]);
    }
    return undo;
  }

  async #tables(): Promise<Table[]> {
    const { results } = await this.#db.prepare(OBJECTS).all<{ type: string; name: string; sql: string }>();
    const tables: Table[] = [];
    for (const { name, sql } of results.filter(({ type }) => type === "table")) {
      const all = await this.#db.prepare(`SELECT * FROM ${quoted(name)}`).raw({ columnNames: true });
      const [columns = [], ...rows] = all as [string[], ...unknown[][]];
      tables.push({ name, sql, columns: columns.map(quoted).join(", "), rows });
    }
    return tables;
  }
}
