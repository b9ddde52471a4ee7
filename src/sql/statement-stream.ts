// Owns finding the statements of a text that comes in parts, however large the whole is.
// Does not know what a statement does, nor whether SQLite can read it.
import { TenantryError } from "../tenantry-error.ts";
import { isCompleteStatement } from "./split-statements.ts";

/** Characters of one statement, unless its reader says otherwise: a blob takes two for each byte. */
export const DEFAULT_MAX_STATEMENT_LENGTH = 128 * 1024 * 1024;

/** What can begin something in which a semicolon ends nothing. */
const NEXT = /[;'"`[]|--|\/\*/g;
/** What ends it. */
const CLOSING: Readonly<Record<string, string>> = {
  "'": "'",
  '"': '"',
  "`": "`",
  "[": "]",
  "--": "\n",
  "/*": "*/",
};

/** Cuts text into statements. */
export class StatementStream {
  readonly #maxLength: number;
  /** From the beginning of the statement that is not at its end. */
  #text = "";
  /** Up to where it has been looked at. */
  #at = 0;
  /** What has to come before a semicolon counts; undefined where one counts. */
  #until: string | undefined;

  constructor(maxLength = DEFAULT_MAX_STATEMENT_LENGTH) {
    this.#maxLength = maxLength;
  }

  /** The statements that end in `part`, each with its semicolon. @throws {TenantryError} `SQL_TOO_LONG` */
  *push(part: string): Generator<string, void, undefined> {
    this.#text += part;
    for (;;) {
      const end = this.#nextSemicolon();
      if (end === undefined) break;
      const statement = this.#text.slice(0, end);
      // The semicolons within a trigger end parts of it.
      if (!isCompleteStatement(statement)) continue;
      this.#text = this.#text.slice(end);
      this.#at = 0;
      yield statement;
    }
    if (this.#text.length <= this.#maxLength) return;
    throw new TenantryError("SQL_TOO_LONG", `A statement is longer than ${this.#maxLength} characters.`, {
      hint: "Bring a database with such values in as a file, not as SQL text.",
    });
  }

  /** What came after the last statement: white space and comments, if the text was whole. */
  rest(): string {
    return this.#text;
  }

  /** Where the next semicolon that counts ends; undefined where there is none yet. */
  #nextSemicolon(): number | undefined {
    for (;;) {
      if (this.#until !== undefined) {
        const close = this.#text.indexOf(this.#until, this.#at);
        if (close < 0) {
          // Of a mark of two characters, the first may be there already.
          this.#at = Math.max(this.#at, this.#text.length - (this.#until.length - 1));
          return undefined;
        }
        this.#at = close + this.#until.length;
        this.#until = undefined;
      }
      NEXT.lastIndex = this.#at;
      const found = NEXT.exec(this.#text);
      if (!found) {
        this.#at = Math.max(this.#at, this.#text.length - 1);
        return undefined;
      }
      this.#at = NEXT.lastIndex;
      if (found[0] === ";") return this.#at;
      this.#until = CLOSING[found[0]];
    }
  }
}
