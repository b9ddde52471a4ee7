// Owns what is counted of databases' statements in this process: rows, time, and which statements took most of both.
// Counts within bounds, whatever is sent; keeps nothing over a restart.
import { RecentMap } from "../recent-map.ts";

/** Databases of which figures are kept: those used last. */
export const MAX_COUNTED_DATABASES = 2_000;
/** Statements of a database that are told apart: those that took most of its time. */
export const MAX_COUNTED_STATEMENTS = 30;
/** Characters of a statement that are kept. */
export const MAX_COUNTED_SQL_LENGTH = 500;

/** Classes of durations: the limit of one is a fifth above that of the one before, and of the first a microsecond. */
const CLASSES = 128;
const CLASS_RATIO = 1.2;

/** What one statement came to. */
export interface StatementFigure {
  readonly sql: string;
  readonly count: number;
  readonly elapsedMs: number;
  /** Of its longest run. */
  readonly longestMs: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** What a database's statements came to, since its first use in this process. */
export interface StatementFigures {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly count: number;
  readonly elapsedMs: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** How many took up to so long, by class: see {@link percentileMs}. */
  readonly durations: readonly number[];
  /** Those that took most of the time. */
  readonly statements: readonly StatementFigure[];
}

type Counted = { -readonly [Name in keyof StatementFigure]: StatementFigure[Name] };

interface Counts {
  readonly since: number;
  count: number;
  elapsedMs: number;
  rowsRead: number;
  rowsWritten: number;
  readonly durations: number[];
  readonly statements: Map<string, Counted>;
  /** What a new statement must take to be told apart, where there is no room left. */
  leastMs: number;
}

/** Counts statements by the name of their database. */
export class StatementCounter {
  readonly #databases = new RecentMap<string, Counts>({ maxEntries: MAX_COUNTED_DATABASES });

  /** A statement of the database has run to its end. About a fifth of a microsecond. */
  add(name: string, sql: string, elapsedMs: number, rowsRead: number, rowsWritten: number): void {
    let counts = this.#databases.get(name);
    if (!counts) this.#databases.set(name, (counts = noCounts()));
    counts.count++;
    counts.elapsedMs += elapsedMs;
    counts.rowsRead += rowsRead;
    counts.rowsWritten += rowsWritten;
    const durationClass = classOf(elapsedMs);
    counts.durations[durationClass] = (counts.durations[durationClass] ?? 0) + 1;
    const known = counts.statements.get(sql) ?? enter(counts, sql, elapsedMs);
    if (!known) return;
    known.count++;
    known.elapsedMs += elapsedMs;
    known.rowsRead += rowsRead;
    known.rowsWritten += rowsWritten;
    if (elapsedMs > known.longestMs) known.longestMs = elapsedMs;
  }

  /** What is known of a database; undefined where nothing is. */
  of(name: string): StatementFigures | undefined {
    const counts = this.#databases.peek(name);
    return (
      counts && { ...counts, durations: [...counts.durations], statements: [...counts.statements.values()] }
    );
  }

  /** Forgets a database's statements one by one; what they came to in all stays. */
  forgetStatements(name: string): void {
    const counts = this.#databases.peek(name);
    counts?.statements.clear();
    if (counts) counts.leastMs = 0;
  }
}

/** The figures of several processes together; undefined where none has any. */
export function addedFigures(all: readonly (StatementFigures | undefined)[]): StatementFigures | undefined {
  const known = all.filter((one) => one !== undefined);
  const [first] = known;
  if (!first || known.length === 1) return first;
  const statements = new Map<string, Counted>();
  for (const figure of known.flatMap((one) => one.statements)) {
    const sum = statements.get(figure.sql) ?? { ...NOTHING, sql: figure.sql };
    statements.set(figure.sql, {
      sql: figure.sql,
      count: sum.count + figure.count,
      elapsedMs: sum.elapsedMs + figure.elapsedMs,
      longestMs: Math.max(sum.longestMs, figure.longestMs),
      rowsRead: sum.rowsRead + figure.rowsRead,
      rowsWritten: sum.rowsWritten + figure.rowsWritten,
    });
  }
  const sum = (of: (figures: StatementFigures) => number): number =>
    known.reduce((all_, one) => all_ + of(one), 0);
  return {
    since: Math.min(...known.map(({ since }) => since)),
    count: sum(({ count }) => count),
    elapsedMs: sum(({ elapsedMs }) => elapsedMs),
    rowsRead: sum(({ rowsRead }) => rowsRead),
    rowsWritten: sum(({ rowsWritten }) => rowsWritten),
    durations: Array.from({ length: CLASSES }, (_, at) => sum(({ durations }) => durations[at] ?? 0)),
    statements: [...statements.values()],
  };
}

/** The duration that a part of the statements, from 0 to 1, did not exceed, to a fifth; 0 where there were none. */
export function percentileMs({ durations, count }: StatementFigures, part: number): number {
  let left = Math.ceil(count * part);
  if (left === 0) return 0;
  const at = durations.findIndex((inClass) => {
    left -= inClass ?? 0;
    return left <= 0;
  });
  return CLASS_RATIO ** at / 1000;
}

const NOTHING = { count: 0, elapsedMs: 0, longestMs: 0, rowsRead: 0, rowsWritten: 0 };
const LOG_RATIO = Math.log(CLASS_RATIO);

function classOf(elapsedMs: number): number {
  const at = Math.ceil(Math.log(elapsedMs * 1000) / LOG_RATIO);
  return at > 0 ? Math.min(at, CLASSES - 1) : 0;
}

function noCounts(): Counts {
  return {
    since: Date.now(),
    count: 0,
    elapsedMs: 0,
    rowsRead: 0,
    rowsWritten: 0,
    durations: [],
    statements: new Map(),
    leastMs: 0,
  };
}

/** Makes room for a statement by the one that took least, if this run of it alone took more. */
function enter(counts: Counts, sql: string, elapsedMs: number): Counted | undefined {
  const { statements } = counts;
  const key = sql.length <= MAX_COUNTED_SQL_LENGTH ? sql : beginningOf(sql);
  const known = statements.get(key);
  if (known) return known;
  if (statements.size >= MAX_COUNTED_STATEMENTS) {
    if (elapsedMs <= counts.leastMs) return undefined;
    const [first, second] = [...statements.values()].toSorted((a, b) => a.elapsedMs - b.elapsedMs);
    counts.leastMs = second?.elapsedMs ?? 0;
    if (first) statements.delete(first.sql);
  }
  const entered = { ...NOTHING, sql: key };
  statements.set(key, entered);
  return entered;
}

/** A part of a string keeps all of it in memory; a copy does not. */
function beginningOf(sql: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(`${sql.slice(0, MAX_COUNTED_SQL_LENGTH)}…`));
}
