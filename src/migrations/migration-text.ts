// Owns what has to be known of a migration's text before it runs: its statements and where they begin,
// transactions of its own, and foreign keys switched off. It does not check SQL; SQLite does.
import { keywordOf, nameOf } from "../sql/sql-token.ts";
import type { Token } from "../sql/sql-token.ts";
import { readStatement } from "../sql/split-statements.ts";

/** A statement of a migration. */
export interface MigrationStatement {
  /** Without the comments around it and without its semicolon. */
  readonly sql: string;
  /** The line on which it begins, from 1. */
  readonly line: number;
  readonly tokens: readonly Token[];
}

const TRANSACTION_CONTROL: ReadonlySet<string> = new Set([
  "BEGIN",
  "COMMIT",
  "END",
  "ROLLBACK",
  "SAVEPOINT",
  "RELEASE",
]);

/** The statements of `sql`, which holds no NUL, split where SQLite splits them. */
export function* statementsOf(sql: string): Generator<MigrationStatement> {
  let line = 1;
  let counted = 0;
  let from = 0;
  for (;;) {
    const statement = readStatement(sql, from);
    const first = statement?.tokens[0];
    const last = statement?.tokens.at(-1);
    if (statement === undefined || first === undefined || last === undefined) return;
    for (; counted < first.start; counted++) if (sql.charCodeAt(counted) === 0x0a) line++;
    yield { sql: sql.slice(first.start, last.start + last.text.length), line, tokens: statement.tokens };
    from = statement.next;
  }
}

/** The first `BEGIN`, `COMMIT`, `END`, `ROLLBACK`, `SAVEPOINT` or `RELEASE` that is a statement of its own. */
export function findTransactionControl(sql: string): { keyword: string; line: number } | undefined {
  for (const { tokens, line } of statementsOf(sql)) {
    const keyword = keywordOf(tokens[0]);
    if (TRANSACTION_CONTROL.has(keyword)) return { keyword, line };
  }
  return undefined;
}

/**
 * Whether `sql` says `PRAGMA foreign_keys = OFF` in any of its forms, as the table rebuilds of drizzle-kit and
 * Prisma do. Inside a transaction SQLite ignores it, and their `DROP TABLE` of a parent then deletes children.
 */
export function turnsForeignKeysOff(sql: string): boolean {
  for (const { tokens } of statementsOf(sql)) {
    if (keywordOf(tokens[0]) !== "PRAGMA") continue;
    const [name, sign, ...value] = tokens[2]?.text === "." ? tokens.slice(3) : tokens.slice(1);
    if (plain(name) !== "foreign_keys" || (sign?.text !== "=" && sign?.text !== "(")) continue;
    // Whatever SQLite cannot read as "on" it takes as "off".
    if (!/^(?:on|yes|true|[1-9]\d*)$/.test(plain(value[0]))) return true;
  }
  return false;
}

function plain(token: Token | undefined): string {
  return token === undefined ? "" : (nameOf(token) ?? token.text).toLowerCase();
}
