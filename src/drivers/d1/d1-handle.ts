// Owns a database's contract over a D1 binding: statements, batches, scripts, and sessions that read their writes.
// Holds nothing open: a binding needs no closing.
import { splitStatements } from "../../sql/split-statements.ts";
import { TenantryError } from "../../tenantry-error.ts";
import { batchOnly } from "../batch-only.ts";
import { d1Error, inD1Words } from "../d1-error.ts";
import type {
  BookmarkedRunner,
  ExecResult,
  Handle,
  ResultSet,
  RunOptions,
  SqlRunner,
  Statement,
  StatementMeta,
} from "../driver.ts";
import type { RemoteSql, RemoteText } from "../remote/remote-sql.ts";
import { scriptOutcome, scriptStatements } from "../remote/script-statements.ts";
import { joinResults, ofPieces, splitInsert } from "../split-insert.ts";
import type { D1Answer, D1Binding, D1Queries, D1Statement } from "./d1-binding.ts";
import { d1Fault } from "./d1-fault.ts";
import { withoutBigints } from "./d1-parameters.ts";
import { assertWithin, asResultSet, rowsWithin } from "./d1-result.ts";

const NO_OPTIONS: RunOptions = {};

interface Prepared {
  readonly text: RemoteText;
  readonly statement: D1Statement;
}

/** The handle of a bound database. @param sql what is known of statements' texts */
export function d1Handle(binding: D1Binding, sql: RemoteSql): Handle {
  let sizeBytes: number | undefined;
  const seen = (meta: StatementMeta): void => void (sizeBytes = meta.size_after);
  const runner = d1Runner(binding, sql, seen);
  return {
    ...runner,
    async script(script) {
      if (script.foreignKeys === "off") throw foreignKeysStay();
      try {
        await runBatch(binding, scriptStatements(script), (statement) =>
          prepare(binding, statement, undefined),
        );
        return true;
      } catch (error) {
        return scriptOutcome(error);
      }
    },
    withBookmark(from): BookmarkedRunner {
      const session = binding.withSession(from);
      return { ...d1Runner(session, sql, seen), bookmark: () => session.getBookmark() };
    },
    ...batchOnly("D1 databases", 'Use D1\'s time travel: "wrangler d1 time-travel".'),
    async sizeBytes() {
      if (sizeBytes === undefined) await runner.run({ sql: "SELECT 1", params: [] });
      return sizeBytes ?? 0;
    },
    close: async () => {},
  };
}

function d1Runner(queries: D1Queries, sql: RemoteSql, seen: (meta: StatementMeta) => void): SqlRunner {
  const prepared = (statement: Statement, readOnly?: boolean): Prepared => ({
    text: sql.prepare(statement, readOnly).text,
    statement: prepare(queries, statement, withoutBigints(statement.params)),
  });

  const run = async (statement: Statement, options: RunOptions = NO_OPTIONS): Promise<ResultSet> => {
    if (splitInsert(statement)) return (await batch([statement], options))[0] as ResultSet;
    const { text, statement: ready } = prepared(statement, options.readOnly);
    // What is stopped at a limit has written all its rows before: only a batch can undo that.
    if (text.returns && options.maxRows !== undefined) {
      return (await batch([statement], options))[0] as ResultSet;
    }
    if (text.reads && options.rows === "arrays") {
      const rows = await ready.raw({ columnNames: true }).catch((error: unknown) => {
        throw d1Fault(error, false);
      });
      return asResultSet(rows, options);
    }
    const answer = await ready.all().catch((error: unknown) => {
      throw d1Fault(error, !text.reads);
    });
    const result = asResultSet(answer, options);
    seen(result.meta);
    return result;
  };

  /** Statements as they are, but for those with more parameters than one takes. */
  const batch = async (
    whole: readonly Statement[],
    options: RunOptions = NO_OPTIONS,
  ): Promise<ResultSet[]> => {
    const divided = whole.map((statement) => splitInsert(statement) ?? [statement]);
    if (divided.every((pieces) => pieces.length === 1)) return runTogether(whole, options);
    const results = await runTogether(divided.flat(), options).catch((error: unknown) => {
      throw ofPieces(error);
    });
    let at = 0;
    return divided.map((pieces) => joinResults(results.slice(at, (at += pieces.length))));
  };

  const runTogether = async (statements: readonly Statement[], options: RunOptions): Promise<ResultSet[]> => {
    if (statements.length === 0) throw d1Error("SQL_NO_STATEMENT", "No SQL statements detected.");
    const texts = statements.map((statement) => sql.prepare(statement, options.readOnly).text);
    const guarded = statements.flatMap((statement, at) =>
      texts[at]?.returns && options.maxRows !== undefined
        ? [statement, rowsWithin(options.maxRows)]
        : [statement],
    );
    const answers = await runBatch(
      queries,
      guarded,
      (statement) => prepare(queries, statement, withoutBigints(statement.params)),
      texts.every(({ reads }) => reads),
    );
    const asked = new Set(statements);
    const results = answers
      .filter((_, at) => asked.has(guarded[at] as Statement))
      .map((answer) => asResultSet(answer, { ...options, maxRows: undefined as never }));
    assertWithin(results, options);
    const last = results.at(-1);
    if (last) seen(last.meta);
    return results;
  };

  return {
    run,
    batch,
    async exec(text): Promise<ExecResult> {
      const statements = splitStatementsInD1Words(text).map((one) => ({ sql: one, params: [] }));
      const started = performance.now();
      await batch(statements);
      return { count: statements.length, duration: performance.now() - started };
    },
  };
}

function prepare(
  queries: D1Queries,
  { sql, params }: Statement,
  bound: readonly unknown[] = params,
): D1Statement {
  const statement = queries.prepare(sql);
  return bound.length === 0 ? statement : statement.bind(...bound);
}

async function runBatch(
  queries: D1Queries,
  statements: readonly Statement[],
  ready: (statement: Statement) => D1Statement,
  reads = false,
): Promise<D1Answer[]> {
  const prepared = statements.map(ready) as never[];
  return queries.batch(prepared).catch((error: unknown) => {
    throw d1Fault(error, !reads);
  }) as Promise<D1Answer[]>;
}

function splitStatementsInD1Words(text: string): string[] {
  try {
    return splitStatements(text);
  } catch (error) {
    throw inD1Words(error);
  }
}

function foreignKeysStay(): TenantryError {
  return new TenantryError("UNSUPPORTED", "Foreign keys cannot be switched off on D1.", {
    hint: 'Write "PRAGMA defer_foreign_keys = ON" instead, and drop no table that cascading keys refer to.',
  });
}
