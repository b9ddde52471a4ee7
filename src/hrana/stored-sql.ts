// Owns the SQL texts that a client stores under numbers, so as not to send them again.
// Does not read them.
import { StatementError } from "./hrana-error.ts";
import type { SqlReference } from "./stream-request.ts";

/** Texts of one stream over HTTP, and of one socket: libSQL's own limits, to which its clients keep. */
export const MAX_STORED_SQL = 50;
export const MAX_SOCKET_STORED_SQL = 150;
/** UTF-16 units of each. */
export const MAX_STORED_SQL_UNITS = 5_000;

/** The texts of one stream over HTTP, or of one socket. */
export class StoredSql {
  readonly #max: number;
  /** Made when the first comes: most streams store none. */
  #texts: Map<number, string> | undefined;

  constructor(max = MAX_STORED_SQL) {
    this.#max = max;
  }

  /** @throws {StatementError} `SQL_STORE_TOO_MANY`, `SQL_STORE_TOO_LARGE`, `SQL_EXISTS` */
  store(id: number, sql: string): void {
    const texts = (this.#texts ??= new Map<number, string>());
    if (texts.has(id)) throw new StatementError("SQL_EXISTS", `SQL text ${id} already exists`);
    if (texts.size >= this.#max) {
      throw new StatementError(
        "SQL_STORE_TOO_MANY",
        `Too many SQL texts have been stored: ${this.#max} is the most`,
      );
    }
    if (sql.length > MAX_STORED_SQL_UNITS) {
      throw new StatementError(
        "SQL_STORE_TOO_LARGE",
        `SQL text is too large to be stored: ${MAX_STORED_SQL_UNITS} characters are the most`,
      );
    }
    texts.set(id, sql);
  }

  /** Forgets a text; what is not there is no error. @returns the text's length */
  close(id: number): number {
    const { length = 0 } = this.#texts?.get(id) ?? "";
    this.#texts?.delete(id);
    return length;
  }

  /** Whether that is its text. */
  is(sql: SqlReference, text: string): boolean {
    return (typeof sql === "string" ? sql : this.#texts?.get(sql)) === text;
  }

  /** @throws {StatementError} `SQL_NOT_FOUND` */
  text(sql: SqlReference): string {
    if (typeof sql === "string") return sql;
    const text = this.#texts?.get(sql);
    if (text !== undefined) return text;
    throw new StatementError("SQL_NOT_FOUND", `SQL text ${sql} not found`);
  }
}
