// Owns what is known of the columns of a connection's statements, and until when it is so: asking SQLite takes
// longer than most statements with one row do.
// Does not prepare or run them.
import type Database from "better-sqlite3";
import type { ConnectionFacts } from "./connection-facts.ts";

/** The columns of a statement's rows. */
export interface Columns {
  readonly names: readonly string[];
  /** As declared; null for an expression. */
  readonly types: readonly (string | null)[];
}

interface Known {
  readonly columns: Columns;
  readonly version: number;
}

/**
 * The columns of statements. SQLite does not say that it has prepared a statement again, for another schema; but
 * runs that saw the same `PRAGMA data_version` saw the same schema, but for what the connection itself has done to
 * it, of which the columns are told.
 */
export class KnownColumns {
  readonly #sqlite: Database.Database;
  readonly #facts: ConnectionFacts;
  #known = new WeakMap<Database.Statement<unknown[]>, Known>();

  constructor(sqlite: Database.Database, facts: ConnectionFacts) {
    this.#sqlite = sqlite;
    this.#facts = facts;
  }

  /**
   * The version that a statement sees whose rows are being read. Asked then, it is of the same look at the file, and
   * takes a quarter of what it takes by itself.
   * @returns undefined where it does not say which schema it is: in a transaction, whose end may undo it
   */
  get version(): number | undefined {
    return this.#sqlite.inTransaction ? undefined : this.#facts.dataVersion;
  }

  /** The columns of a statement that has been run, and saw that version. */
  of(statement: Database.Statement<unknown[]>, version: number | undefined): Columns {
    if (version === undefined) return columnsOf(statement);
    const known = this.#known.get(statement);
    if (known?.version === version) return known.columns;
    const columns = columnsOf(statement);
    this.#known.set(statement, { columns, version });
    return columns;
  }

  /** Has to be called when the connection may have changed its schema. */
  forget(): void {
    this.#known = new WeakMap();
  }
}

/** What SQLite says the columns are: of the schema that the statement has last been run with. */
function columnsOf(statement: Database.Statement<unknown[]>): Columns {
  const definitions = statement.columns();
  return { names: definitions.map(({ name }) => name), types: definitions.map(({ type }) => type) };
}
