// Owns pipelines and cursors, from a request's text to its answer's, and the streams that their batons stand for.
// Knows no framework: what a request may use comes with it, found and authorised.
import type { BatchCursor } from "../hrana/batch-cursor.ts";
import { bodyOf, joined } from "../hrana/json-text.ts";
import { readPipeline } from "../hrana/pipeline-text.ts";
import type { PinnedSession } from "../hrana/stream-connection.ts";
import { parseCursor, parsePipeline } from "../hrana/stream-request.ts";
import type { StreamAccess } from "../hrana/stream-statements.ts";
import { Streams } from "../hrana/streams.ts";
import type { Guard } from "../sql/guard.ts";
import type { TenantId } from "../tenant-id.ts";
import { linesOf } from "./cursor-body.ts";
import type { RequestDatabase } from "./request-database.ts";
import { parseJson } from "./read-body.ts";

/** Of answers. Clients look at this type as a whole: with a charset they take an error for a text. */
export const JSON_TYPE: Readonly<Record<string, string>> = { "content-type": "application/json" };

/** What {@link HranaPipelines} are made with. */
export interface HranaPipelinesOptions {
  readonly guard: Guard;
  /** Parameters of one statement. */
  readonly maxParameters: number;
  /** A connection of a tenant's for a stream. */
  readonly openSession: (tenant: TenantId) => Promise<PinnedSession>;
  /** Base64 of the key that batons are signed with. */
  readonly batonKey: string;
}

/** What a request may use. */
export interface PipelineCall extends Pick<RequestDatabase, "runner" | "sessions" | "authorize" | "limits"> {
  readonly tenant: TenantId;
  /** Whose the streams are: the tenant's incarnation. */
  readonly incarnation: string;
}

/** Answers Hrana over HTTP. Requests that go on with each other's streams need the same one. */
export class HranaPipelines {
  readonly #options: HranaPipelinesOptions;
  readonly #streams: Streams;

  constructor(options: HranaPipelinesOptions) {
    this.#options = options;
    this.#streams = new Streams({ key: options.batonKey });
  }

  /**
   * Answers the text of a `PipelineReqBody`.
   * @throws {TenantryError} `INVALID_JSON`, `INVALID_ARGUMENT`, `STREAM_EXPIRED`, `TOO_MANY_REQUESTS`, and what is not
   * one statement's error
   */
  async answer(text: string, call: PipelineCall): Promise<string | Uint8Array<ArrayBuffer>> {
    const { baton, requests } = readPipeline(text) ?? parsePipeline(parseJson(text));
    const closes = requests.at(-1)?.type === "close";
    const access = this.#access(call);
    const { result, baton: next } = await this.#streams.use(call.incarnation, baton, closes, (stream) =>
      stream.pipeline(requests, access),
    );
    return bodyOf(joined([`${headOf(next)},"results":[`, joined(result, ","), "]}"]));
  }

  /**
   * Opens the cursor of a `CursorReqBody`.
   * @returns the lines to begin with, and what gives the rest, which may be at its end
   * @throws {TenantryError} as {@link answer} does
   */
  async cursor(
    body: unknown,
    call: PipelineCall,
  ): Promise<{ readonly cursor: BatchCursor; readonly before: string }> {
    const { baton, batch } = parseCursor(body);
    const access = this.#access(call);
    const { result, baton: next } = await this.#streams.cursor(call.incarnation, baton, (stream) =>
      stream.cursor(batch, access),
    );
    return { cursor: result.cursor, before: linesOf([`${headOf(next)}}`, ...result.first]) };
  }

  #access({ tenant, runner, sessions, authorize, limits }: PipelineCall): StreamAccess {
    const { guard, maxParameters, openSession } = this.#options;
    return {
      runner,
      openSession: () => openSession(tenant),
      sessions,
      guard,
      authorize,
      maxRows: limits.maxRows,
      maxResponseBytes: limits.maxResponseBytes,
      maxParameters,
    };
  }
}

function headOf(baton: string | null): string {
  return `{"baton":${JSON.stringify(baton)},"base_url":null`;
}
