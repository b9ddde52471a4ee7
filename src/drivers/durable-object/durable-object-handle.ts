// Owns a database's contract over an object's calls: what is asked, and rows in the shape that was asked for.
// Holds nothing open: an object needs no closing.
import { inspectStatement } from "../../sql/inspect-statement.ts";
import { isTenantryError } from "../../tenantry-error.ts";
import { batchOnly } from "../batch-only.ts";
import type { Handle, RunOptions, Statement } from "../driver.ts";
import { type CalledObject, READS, WRITES } from "./object-calls.ts";
import { rowsAsAsked } from "./object-rows.ts";
import type { OpenedObject } from "./object-rpc.ts";
import { ObjectTurn } from "./object-turn.ts";

/** An open database in an object. */
export interface DurableObjectHandle extends Handle {
  /** 30 days are kept. */
  bookmark(at?: number): Promise<string>;
  restore(bookmark: string): Promise<string>;
}

/** The handle of the database that `opened` names. */
export function durableObjectHandle(object: CalledObject, opened: OpenedObject): DurableObjectHandle {
  const { token } = opened;
  const { schemaHash } = opened;
  let { sizeBytes } = opened;

  const turn = new ObjectTurn(object, token);
  /** What is asked for after a statement comes after it. */
  const ask: CalledObject["ask"] = (reads, call) => {
    turn.flush();
    return object.ask(reads, call);
  };

  return {
    async run(statement: Statement, options?: RunOptions) {
      const { sql, params } = statement;
      const reads = (): boolean => options?.readOnly ?? onlyReads(sql);
      const result = options?.once
        ? await ask(reads, (to) => to.run(token, { sql, params }, sentOptions(options)))
        : await turn.run({ sql, params }, sentOptions(options), reads);
      sizeBytes = result.meta.size_after;
      return rowsAsAsked(result, options);
    },
    async batch(statements, options) {
      const plain = statements.map(({ sql, params }) => ({ sql, params }));
      const results = await ask(options?.readOnly ? READS : WRITES, (to) =>
        to.batch(token, plain, sentOptions(options)),
      );
      return results.map((result) => rowsAsAsked(result, options));
    },
    exec: (sql) => ask(WRITES, (to) => to.exec(token, sql)),
    script: (script) => ask(WRITES, (to) => to.script(token, script)),
    async migrate(set) {
      const { hash, version } = set;
      if (hash === schemaHash) return { applied: [], drifted: [], missing: [], version, hash };
      return ask(WRITES, (to) => to.migrate(token, set));
    },
    ...batchOnly("Durable Objects", "Take a bookmark instead."),
    sizeBytes: async () => sizeBytes,
    close: async () => {},
    bookmark: (at) => ask(READS, (to) => to.bookmark(token, at)),
    restore: (bookmark) => ask(WRITES, (to) => to.restore(token, bookmark)),
  };
}

/** What the object has to know of `options`: the rest is done here, and a sink cannot travel. */
function sentOptions(options: RunOptions | undefined): RunOptions | undefined {
  if (options === undefined) return undefined;
  const { sink: _sink, integers: _integers, details: _details, ...sent } = options;
  return sent;
}

/** What cannot be read counts as a write. */
function onlyReads(sql: string): boolean {
  try {
    return inspectStatement(sql).needs === "read";
  } catch (error) {
    if (isTenantryError(error)) return false;
    throw error;
  }
}
