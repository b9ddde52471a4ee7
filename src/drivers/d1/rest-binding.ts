// Owns a D1 database behind the REST interface in the shape of a binding, so that one handle serves both.
// Decides nothing about SQL: the handle does.
import { TenantryError } from "../../tenantry-error.ts";
import type { RemoteSql } from "../remote/remote-sql.ts";
import type { D1Answer, D1Binding, D1Statement } from "./d1-binding.ts";
import type { RestApi } from "./rest-api.ts";
import { type RestStatement, restStatement } from "./rest-parameters.ts";

/** Which database, and what is known of statements' texts. */
export interface RestDatabase {
  readonly api: RestApi;
  /** The tenant's name, for errors. */
  readonly name: string;
  readonly id: string;
  readonly sql: RemoteSql;
}

interface RawAnswer {
  readonly results: { readonly columns: string[]; readonly rows: unknown[][] };
}

/** The database as a binding is. */
export function restBinding(database: RestDatabase): D1Binding {
  const { api, name, id, sql: texts } = database;
  const query = async (writes: boolean, body: object): Promise<D1Answer[]> => {
    const { result } = await api.call(name, writes, (d1) =>
      d1.query(id, { account_id: api.accountId, ...body }),
    );
    return result as D1Answer[];
  };
  const writes = (sql: string): boolean => !texts.read(sql).reads;
  const statement = (
    sql: string,
    values: readonly unknown[],
  ): D1Statement & { readonly ready: () => RestStatement } => ({
    bind: (...bound) => statement(sql, bound),
    ready: () => restStatement(sql, values),
    async all() {
      const [answer] = await query(writes(sql), restStatement(sql, values));
      return answer as D1Answer;
    },
    async raw() {
      const { result } = await api.call(name, writes(sql), (d1) =>
        d1.raw(id, { account_id: api.accountId, ...restStatement(sql, values) }),
      );
      const { columns, rows } = (result as RawAnswer[])[0]?.results ?? { columns: [], rows: [] };
      return [columns, ...rows];
    },
  });
  return {
    prepare: (sql) => statement(sql, []),
    batch: (statements: ReturnType<typeof statement>[]) => {
      const batch = statements.map(({ ready }) => ready());
      return query(
        batch.some(({ sql }) => writes(sql)),
        { batch },
      );
    },
    withSession: () => {
      throw new TenantryError(
        "UNSUPPORTED",
        "D1's REST interface has no sessions: it reads from the primary.",
        {
          hint: "Leave the bookmark out, or use a binding.",
        },
      );
    },
  } as D1Binding;
}
