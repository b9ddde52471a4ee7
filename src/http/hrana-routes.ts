// Owns Hrana over HTTP, which libSQL's clients speak: `/v2/pipeline`, `/v3/pipeline`, `/v3/cursor`, and the probes.
// Does not know what a stream does, nor choose the tenant or the caller; hrana-pipelines.ts answers.
import { type Context, Hono } from "hono";
import { hranaError } from "../hrana/hrana-error.ts";
import { TenantryError } from "../tenantry-error.ts";
import { cursorBody } from "./cursor-body.ts";
import type { TenantryEnv } from "./env.ts";
import { type HranaPipelines, JSON_TYPE, type PipelineCall } from "./hrana-pipelines.ts";
import { type OnInternalError, printError, shownError } from "./shown-error.ts";
import { readJson, readJsonText } from "./read-body.ts";

/** As libSQL's server has it. */
const LINES_TYPE = { "content-type": "text/plain" };

/** Also without a tenant, at which clients arrive whose URL lacks its last slash. */
const HRANA_PATH = /^(?:\/t(?:\/[^/?]+)?)?\/v[23]\/(?:pipeline|cursor)(?:\?|$)/;

/** The paths that {@link hranaRoutes} answers, below a tenant's root. */
export const HRANA_PATHS: readonly string[] = ["/v2/pipeline", "/v3/pipeline", "/v3/cursor"];

/** Whether a path, or one below a tenant's root, is one of {@link HRANA_PATHS}. */
export function isHranaPath(path: string): boolean {
  return HRANA_PATH.test(path);
}

/**
 * `POST /v2/pipeline`, `/v3/pipeline` and `/v3/cursor`.
 * @param onInternalError is told of what ends a cursor in the midst of it. By default it is printed to stderr
 */
export function hranaRoutes(
  pipelines: HranaPipelines,
  onInternalError: OnInternalError = printError,
): Hono<TenantryEnv> {
  const callOf = (c: Context<TenantryEnv>): PipelineCall => ({
    tenant: c.get("tenant"),
    incarnation: c.get("schemaKey"),
    runner: c.get("runner"),
    sessions: c.get("sessions") ?? true,
    authorize: c.get("authorize"),
    limits: c.get("limits"),
  });

  const pipeline = async (c: Context<TenantryEnv>): Promise<Response> => {
    const text = await readJsonText(c.req, c.get("limits").maxBodyBytes);
    return c.body(await pipelines.answer(text, callOf(c)), 200, JSON_TYPE);
  };

  return new Hono<TenantryEnv>()
    .post("/v2/pipeline", pipeline)
    .post("/v3/pipeline", pipeline)
    .post("/v3/cursor", async (c) => {
      const body = await readJson(c.req, c.get("limits").maxBodyBytes);
      const { cursor, before } = await pipelines.cursor(body, callOf(c));
      return cursor.done
        ? c.body(before, 200, LINES_TYPE)
        : c.body(
            cursorBody(cursor, { before, shown: (error) => shownError(c.req, error, onInternalError) }),
            200,
            LINES_TYPE,
          );
    });
}

/** What clients ask to find out which versions there are: for anybody, and about no tenant. */
export function hranaProbes(): Hono {
  return new Hono()
    .get("/v2", (c) => c.text("Hrana over HTTP, version 2, in JSON"))
    .get("/v3", (c) => c.text("Hrana over HTTP, version 3, in JSON"))
    .get("/health", (c) => c.body(null, 200))
    .get("/version", (c) => c.text("tenantry"))
    .all("/v3-protobuf/*", () => {
      throw new TenantryError("NOT_FOUND", "Hrana is not spoken in Protobuf here.", {
        hint: "Speak it in JSON: GET …/v3 says that it is there.",
      });
    });
}

/** The body of an error for a Hrana client; undefined where the path is not one of its. */
export function hranaErrorBody(
  path: string,
  error: TenantryError,
): { readonly message: string; readonly code: string; readonly hint?: string } | undefined {
  if (!isHranaPath(path)) return undefined;
  const { message, code } = hranaError(error);
  const { hint } = error;
  // Clients show the message and nothing else.
  return hint === undefined ? { message, code } : { message: `${message} ${hint}`, code, hint };
}
