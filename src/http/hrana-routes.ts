// Owns Hrana over HTTP, which libSQL's clients speak: `/v2/pipeline`, `/v3/pipeline`, `/v3/cursor`, and the probes.
// Does not know what a stream does, nor choose the tenant or the caller.
import { type Context, Hono } from "hono";
import { hranaError } from "../hrana/hrana-error.ts";
import { bodyOf, joined } from "../hrana/json-text.ts";
import { readPipeline } from "../hrana/pipeline-text.ts";
import type { StreamAccess } from "../hrana/stream-statements.ts";
import type { PinnedSession } from "../hrana/stream-connection.ts";
import { parseCursor, parsePipeline } from "../hrana/stream-request.ts";
import { Streams } from "../hrana/streams.ts";
import type { Guard } from "../sql/guard.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { cursorBody, linesOf } from "./cursor-body.ts";
import type { TenantryEnv } from "./env.ts";
import { type OnInternalError, printError, shownError } from "./shown-error.ts";
import { parseJson, readJson, readJsonText } from "./read-body.ts";

/** Clients look at this type as a whole: with a charset they take an error for a text. */
const JSON_TYPE = { "content-type": "application/json" };
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

/** What {@link hranaRoutes} is made with. */
export interface HranaRoutesOptions {
  readonly guard: Guard;
  /** Parameters of one statement. */
  readonly maxParameters: number;
  /** A connection of a tenant's for a stream. */
  readonly openSession: (tenant: TenantId) => Promise<PinnedSession>;
  /** Base64 of the key that batons are signed with. */
  readonly batonKey: string;
  /** @default they are printed to stderr */
  readonly onInternalError?: OnInternalError;
}

/** `POST /v2/pipeline`, `/v3/pipeline` and `/v3/cursor`. */
export function hranaRoutes(options: HranaRoutesOptions): Hono<TenantryEnv> {
  const { guard, maxParameters, openSession, batonKey, onInternalError = printError } = options;
  const streams = new Streams({ key: batonKey });

  const accessOf = (c: Context<TenantryEnv>): StreamAccess => {
    const { maxRows, maxResponseBytes } = c.get("limits");
    return {
      runner: c.get("runner"),
      openSession: () => openSession(c.get("tenant")),
      sessions: c.get("sessions") ?? true,
      guard,
      authorize: c.get("authorize"),
      maxRows,
      maxResponseBytes,
      maxParameters,
    };
  };

  const pipeline = async (c: Context<TenantryEnv>): Promise<Response> => {
    const text = await readJsonText(c.req, c.get("limits").maxBodyBytes);
    const { baton, requests } = readPipeline(text) ?? parsePipeline(parseJson(text));
    const closes = requests.at(-1)?.type === "close";
    const access = accessOf(c);
    const { result, baton: next } = await streams.use(c.get("schemaKey"), baton, closes, (stream) =>
      stream.pipeline(requests, access),
    );
    const body = joined([`${headOf(next)},"results":[`, joined(result, ","), "]}"]);
    return c.body(bodyOf(body), 200, JSON_TYPE);
  };

  return new Hono<TenantryEnv>()
    .post("/v2/pipeline", pipeline)
    .post("/v3/pipeline", pipeline)
    .post("/v3/cursor", async (c) => {
      const { baton, batch } = parseCursor(await readJson(c.req, c.get("limits").maxBodyBytes));
      const access = accessOf(c);
      const { result, baton: next } = await streams.cursor(c.get("schemaKey"), baton, (stream) =>
        stream.cursor(batch, access),
      );
      const { cursor, first } = result;
      const text = linesOf([`${headOf(next)}}`, ...first]);
      return cursor.done
        ? c.body(text, 200, LINES_TYPE)
        : c.body(
            cursorBody(cursor, { before: text, shown: (error) => shownError(c.req, error, onInternalError) }),
            200,
            LINES_TYPE,
          );
    });
}

function headOf(baton: string | null): string {
  return `{"baton":${JSON.stringify(baton)},"base_url":null`;
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
