// Owns which requests need no framework, and what answers them: executors, or the pipelines of this process.
// Reads nothing from a connection, and admits nobody: direct-requests.ts does.
import type { LightAnswer } from "../executors/light-http.ts";
import type { Admitted } from "./admission.ts";
import type { HranaHere } from "./app.ts";
import { BOOKMARK_HEADER } from "./bookmark-header.ts";
import type { Forward } from "./forward.ts";
import { type HranaPipelines, JSON_TYPE, type PipelineCall } from "./hrana-pipelines.ts";
import { assertJson } from "./read-body.ts";
import { requestDatabase } from "./request-database.ts";
import type { HeaderGetter } from "./resolve-tenant.ts";

/** A request by path of somebody who may come in. */
export interface DirectRequest {
  readonly admitted: Admitted;
  readonly method: string;
  /** The tenant's root. */
  readonly base: string;
  /** What is below it, with the query. */
  readonly path: string;
  readonly header: HeaderGetter;
  /** undefined where its method has none. */
  readonly body: string | undefined;
}

/** Requests of a kind, and their answers. */
export interface DirectAnswers {
  readonly methods: ReadonlySet<string>;
  /** Targets that a URL parser leaves as they are: nothing encoded in the path, nor dots alone. */
  readonly target: RegExp;
  /** @throws {TenantryError} what became of the request instead */
  readonly answer: (request: DirectRequest) => Promise<LightAnswer>;
}

const QUERY = String.raw`(?:\?[\w%!$&()*+,;=:@~./?-]*)?`;

/** Requests to a tenant's rows and statements, where they run in executors. */
export function executorAnswers(forward: Forward): DirectAnswers {
  const table = String.raw`[\w!$&()*+,;=:@~-][\w!$&()*+,;=:@~.-]*`;
  return {
    methods: new Set(["GET", "POST", "PATCH", "PUT", "DELETE"]),
    target: new RegExp(
      String.raw`^\/t\/[a-z0-9_-]+\/(?:rest\/${table}|query|batch|v[23]\/pipeline)${QUERY}$`,
    ),
    answer: ({ admitted: { tenant, caller, record }, base, path, ...rest }) =>
      forward({
        ...rest,
        tenant,
        caller,
        incarnation: record.incarnation,
        statementTimeoutMs: record.statementTimeoutMs ?? undefined,
        url: { base, path },
      }),
  };
}

/** Hrana's pipelines, where they run in this process. */
export function pipelineAnswers({ pipelines, databases }: HranaHere): DirectAnswers {
  return {
    methods: new Set(["POST"]),
    target: new RegExp(String.raw`^\/t\/[a-z0-9_-]+\/v[23]\/pipeline${QUERY}$`),
    answer: async ({ admitted, header, body = "" }) => {
      const database = requestDatabase(databases, admitted, header);
      const { tenant, record } = admitted;
      const answer = await pipelineAnswer(pipelines, header, body, {
        ...database,
        tenant,
        incarnation: record.incarnation,
      });
      const bookmark = database.bookmark();
      return bookmark === undefined
        ? answer
        : { ...answer, headers: { ...answer.headers, [BOOKMARK_HEADER]: bookmark } };
    },
  };
}

/** The whole answer to a pipeline. @throws {TenantryError} `UNSUPPORTED_MEDIA_TYPE`, and as `pipelines.answer()` does */
export async function pipelineAnswer(
  pipelines: HranaPipelines,
  header: HeaderGetter,
  body: string,
  call: PipelineCall,
): Promise<LightAnswer> {
  assertJson(header);
  return { status: 200, headers: JSON_TYPE, body: await pipelines.answer(body, call) };
}
