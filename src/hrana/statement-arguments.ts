// Owns putting a statement's arguments in the order of its parameters.
// Does not check their number where they come in order: the driver does.
import { parametersOf } from "../sql/parameters.ts";
import { StatementError } from "./hrana-error.ts";
import type { Stmt } from "./stream-request.ts";
import type { HranaValue } from "./value.ts";

/**
 * The values of `sql`'s parameters. A named argument may leave out the first character of its parameter's name.
 * @throws {StatementError} `ARGS_BOTH_POSITIONAL_AND_NAMED`, `ARGS_INVALID`
 */
export function argumentsInOrder({ args, namedArgs }: Stmt, sql: string): readonly HranaValue[] {
  if (namedArgs.length === 0) return args;
  if (args.length > 0) {
    throw new StatementError(
      "ARGS_BOTH_POSITIONAL_AND_NAMED",
      "Specifying both positional and named arguments is not supported",
    );
  }
  const given = new Map(namedArgs.map(({ name, value }) => [name, value]));
  const used = new Set<string>();
  const values = parametersOf(sql).map((parameter, index) => {
    const name = [parameter, parameter?.slice(1)].find((one) => one !== undefined && given.has(one));
    if (name === undefined) throw invalid(`value for parameter ${parameter ?? index + 1} not found`);
    used.add(name);
    return given.get(name) as HranaValue;
  });
  const unknown = namedArgs.find(({ name }) => !used.has(name));
  if (unknown) throw invalid(`there is no parameter ${unknown.name.slice(0, 60)}`);
  return values;
}

function invalid(message: string): StatementError {
  return new StatementError("ARGS_INVALID", `Arguments do not match SQL parameters: ${message}`);
}
