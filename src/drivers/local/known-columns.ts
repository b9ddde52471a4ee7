// Owns what is known of the columns of a connection's statements, and until when it is so: asking SQLite takes
// longer than most statements with one row do.
// Does not prepare or run them.
import type Database from "better-sqlite3";
import type { ConnectionFacts } from "./connection-facts.ts";
import { isBusy } from "./sqlite-error.ts";

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
 * while `PRAGMA data_version` stays as it is, nobody else has changed anything, and of what the connection itself
 * does to its schema the columns are told.
 */
export class KnownColumns {
  readonly #sqlite: Database.Database;
  readonly #facts: ConnectionFacts;
  #known = new WeakMap<Database.Statement<unknown[]>, Known>();
  /** As it was when somebody last asked. */
  #version: number | undefined;

  constructor(sqlite: Database.Database, facts: ConnectionFacts) {
    this.#sqlite = sqlite;
    this.#facts = facts;
  }

  /** The columns of a statement that reads, and has just been run. */
  of(statement: Database.Statement<unknown[]>): Columns {
    const version = this.#versionNow();
    if (version === undefined) return columnsOf(statement);
    const known = this.#known.get(statement);
    if (known?.version === version) return known.columns;
    const columns = columnsOf(statement);
    // Else somebody may have changed them between the run and the question.
    if (version === this.#version) this.#known.set(statement, { columns, version });
    this.#version = version;
    return columns;
  }

  /** Has to be called when the connection may have changed its schema. */
  forget(): void {
    this.#known = new WeakMap();
  }

  /** Undefined where it does not say whether the schema is the same: in a transaction, whose end may undo it. */
  #versionNow(): number | undefined {
    if (this.#sqlite.inTransaction) return undefined;
    try {
      return this.#facts.dataVersion;
    } catch (error) {
      if (!isBusy(error)) throw error;
      // The statement has been run, and must not be run again for this.
      return undefined;
    }
  }
}

/** What SQLite says the columns are: of the schema that the statement has last been run with. */
export function columnsOf(statement: Database.Statement<unknown[]>): Columns {
  const definitions = statement.columns();
  return { names: definitions.map(({ name }) => name), types: definitions.map(({ type }) => type) };
}
