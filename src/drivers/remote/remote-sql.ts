// Owns what the text of a statement says before it is sent to a remote database: what it may do, how many
// parameters it has. Asks no database.
import { inspectStatement, type Inspection } from "../../sql/inspect-statement.ts";
import { parametersOf } from "../../sql/parameters.ts";
import { TEMPORARY } from "../../sql/refused-names.ts";
import { d1Error, inD1Words } from "../d1-error.ts";
import { noTransaction, readOnly as readOnlyError } from "../transaction-error.ts";
import type { Statement } from "../driver.ts";
import { bindable } from "../parameter.ts";
import { RecentMap } from "../../recent-map.ts";

/** Characters of SQL that are remembered. */
const MAX_CHARACTERS = 4_000_000;

/** Verbs by which a statement reaches past its database or its own end. */
const LEAVES_THE_DATABASE: ReadonlySet<string> = new Set(["ATTACH", "DETACH", "VACUUM", "PRAGMA"]);

/** What a statement's text says. */
export interface RemoteText {
  readonly kind: Inspection["kind"];
  /** Whether it cannot write. */
  readonly reads: boolean;
  /** Whether it writes and gives rows. */
  readonly returns: boolean;
  /** How many values it takes. */
  readonly parameters: number;
}

/** A statement that is ready to be sent. */
export interface RemoteStatement {
  readonly text: RemoteText;
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** Reads statements, and remembers what they said. */
export class RemoteSql {
  readonly #known = new RecentMap<string, RemoteText>({
    maxSize: MAX_CHARACTERS,
    sizeOf: (_, sql) => sql.length + 1,
  });

  /**
   * Checks a statement as far as that can be done here: an error that costs no round trip.
   * @throws {TenantryError} `SQL_REFUSED`, `READ_ONLY`, `PARAMETER_COUNT`, `TYPE_ERROR`, and those of
   * `inspectStatement()`
   */
  prepare({ sql, params }: Statement, readOnly = false): RemoteStatement {
    const text = this.#read(sql);
    if (text.kind === "transaction") throw noTransaction();
    if (readOnly && !text.reads) throw readOnlyError();
    const values = bindable(params);
    if (values.length !== text.parameters) {
      throw d1Error("PARAMETER_COUNT", "Wrong number of parameter bindings for SQL query.", {
        hint: `The statement takes ${text.parameters}, and was given ${values.length}.`,
      });
    }
    return { text, sql, values };
  }

  /** What a statement's text says, transactions included. @throws {TenantryError} as {@link prepare} does */
  read(sql: string): RemoteText {
    return this.#read(sql);
  }

  #read(sql: string): RemoteText {
    const known = this.#known.get(sql);
    if (known) return known;
    const { kind, verb, refusal, needs, explain } = inspect(sql);
    if (kind === "refused" && (LEAVES_THE_DATABASE.has(verb) || refusal === TEMPORARY)) {
      throw d1Error("SQL_REFUSED", "not authorized: SQLITE_AUTH", {
        sqliteCode: "SQLITE_AUTH",
        hint: "A tenant's SQL stays in its own database, and leaves nothing on a connection.",
      });
    }
    const reads = explain || (needs === "read" && (kind === "read" || kind === "pragma"));
    const text = {
      kind,
      reads,
      returns: !reads && /\breturning\b/i.test(sql),
      parameters: parametersOf(sql).length,
    };
    this.#known.set(sql, text);
    return text;
  }
}

function inspect(sql: string): Inspection {
  try {
    return inspectStatement(sql);
  } catch (error) {
    throw inD1Words(error);
  }
}
