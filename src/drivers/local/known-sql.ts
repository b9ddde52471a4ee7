// Owns what is known of a statement's text whichever database it is for: tenants of one application run the
// same statements, and each newly opened database would have them read anew.
// Prepares nothing.
import { inspectStatement } from "../../sql/inspect-statement.ts";
import { TEMPORARY } from "../../sql/refused-names.ts";
import { d1Error, inD1Words } from "../d1-error.ts";
import { type ParameterNames, parameterNames } from "./parameter-names.ts";
import { RecentMap } from "../../recent-map.ts";

/** Characters of SQL that are remembered. */
const MAX_CHARACTERS = 4_000_000;

/**
 * Verbs by which a statement reaches past its database or its own end. What else the guard refuses is the
 * application's to do: internal tables are guarded where SQL comes from outside.
 */
const LEAVES_THE_DATABASE: ReadonlySet<string> = new Set(["ATTACH", "DETACH", "VACUUM", "PRAGMA"]);

/** What a statement's text says. */
export interface StatementText {
  /** Whether it begins, ends or nests a transaction. */
  readonly transaction: boolean;
  /** Whether it may change the schema. */
  readonly schema: boolean;
  /** Whether it asks for the plan of a statement, and runs nothing. */
  readonly explain: boolean;
  /** Undefined unless a parameter has a name. */
  readonly names: ParameterNames | undefined;
}

/** Reads statements, and remembers what they said. */
export class KnownSql {
  readonly #known = new RecentMap<string, StatementText>({
    maxSize: MAX_CHARACTERS,
    sizeOf: (_, sql) => sql.length + 1,
  });

  /**
   * What the text of one statement says.
   * @throws {TenantryError} `SQL_REFUSED` for what leaves its database, and those of `inspectStatement()`
   */
  read(sql: string): StatementText {
    const known = this.#known.get(sql);
    if (known) return known;
    const { kind, verb, explain, refusal } = inspect(sql);
    if (kind === "refused" && (LEAVES_THE_DATABASE.has(verb) || refusal === TEMPORARY)) {
      throw d1Error("SQL_REFUSED", "not authorized: SQLITE_AUTH", {
        sqliteCode: "SQLITE_AUTH",
        hint: "A tenant's SQL stays in its own database, and leaves nothing on the connection that its requests share. withSqlite() gives the raw handle.",
      });
    }
    const text = {
      transaction: kind === "transaction",
      schema: kind === "schema" && !explain,
      explain,
      names: parameterNames(sql),
    };
    this.#known.set(sql, text);
    return text;
  }
}

function inspect(sql: string): ReturnType<typeof inspectStatement> {
  try {
    return inspectStatement(sql);
  } catch (error) {
    throw inD1Words(error);
  }
}
