// Owns reading a request's body within its limit, as text or as JSON.
// Does not know what the JSON should hold.
import type { HonoRequest } from "hono";
import type { CountedBody } from "./body-budget.ts";
import { LIBSQL_CLIENT_HEADER } from "./browser-guard.ts";
import type { HeaderGetter } from "./resolve-tenant.ts";
import { TenantryError } from "../tenantry-error.ts";

/** Bytes of a refused body that are read all the same. */
const MAX_DROPPED_BYTES = 64 * 1024 * 1024;

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/**
 * The body as JSON.
 * @throws {TenantryError} `UNSUPPORTED_MEDIA_TYPE`, `BODY_TOO_LARGE`, `INVALID_JSON`, and those of {@link readText}
 */
export async function readJson(request: HonoRequest, maxBytes: number): Promise<unknown> {
  return parseJson(await readJsonText(request, maxBytes));
}

/** The body of a request that says it is JSON, unread. @throws {TenantryError} but for `INVALID_JSON` as {@link readJson} */
export async function readJsonText(request: HonoRequest, maxBytes: number): Promise<string> {
  assertJson((name) => request.header(name));
  return readText(request, maxBytes);
}

/** The body as JSON, which may be left out: undefined then. @throws {TenantryError} as {@link readJson} does */
export async function readOptionalJson(request: HonoRequest, maxBytes: number): Promise<unknown> {
  const text = await readText(request, maxBytes);
  if (text === "") return undefined;
  assertJson((name) => request.header(name));
  return parseJson(text);
}

/**
 * The body as text.
 * @param counted told of bytes before they are read, where they are declared, or as they come
 * @throws {TenantryError} `BODY_TOO_LARGE`, before more than that is read, and `INVALID_ARGUMENT` where the
 * client went away before it had sent all of it
 */
export async function readText(
  request: HonoRequest,
  maxBytes: number,
  counted?: CountedBody,
): Promise<string> {
  const declared = request.header("content-length");
  if (declared !== undefined && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (declared !== undefined) counted?.take(Number(declared));
  // Hono's own, which holds promises. Whoever reads the body a second time finds it there.
  const cache = request.bodyCache as { text?: unknown };
  try {
    if (declared !== undefined || cache.text !== undefined) return await request.text();
    const text = await readStream(request.raw.body, maxBytes, counted);
    cache.text = Promise.resolve(text);
    return text;
  } catch (error) {
    throw error instanceof TenantryError ? error : incomplete(error);
  }
}

/** The error for a body over its limit. */
export function tooLarge(maxBytes: number): TenantryError {
  return new TenantryError("BODY_TOO_LARGE", `The body is larger than ${maxBytes} bytes.`, {
    hint: "Send it in parts.",
  });
}

/** The error for a body whose end never came; nobody is left to read it. */
function incomplete(cause: unknown): TenantryError {
  return new TenantryError("INVALID_ARGUMENT", "The body ended before all of it had come.", {
    hint: "Send the request again.",
    cause,
  });
}

/**
 * The chunks of a body of `maxBytes` at most. Where no more of them are wanted, the rest is read and dropped, up
 * to a bound: many clients look for an answer only once they have sent everything.
 * @throws {TenantryError} `BODY_TOO_LARGE`, and `INVALID_ARGUMENT` where the client went away
 */
export async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader();
  let bytes = 0;
  let ended = false;
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      const { done, value } = await reader.read();
      ended = done;
      return value;
    } catch (error) {
      ended = true;
      throw incomplete(error);
    }
  };
  try {
    for (let chunk = await next(); chunk; chunk = await next()) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  } finally {
    if (!ended) await drop(reader);
    reader.releaseLock();
  }
}

async function drop(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (let dropped = 0; dropped < MAX_DROPPED_BYTES;) {
    // Whoever goes away now needs no answer.
    const chunk = await reader.read().catch(() => undefined);
    if (chunk === undefined || chunk.done) return;
    dropped += chunk.value.byteLength;
  }
}

async function readStream(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  counted?: CountedBody,
): Promise<string> {
  if (stream === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunksOf(stream, maxBytes)) {
    counted?.take(chunk.byteLength);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** @throws {TenantryError} `UNSUPPORTED_MEDIA_TYPE` for a body that does not say it is JSON */
export function assertJson(header: HeaderGetter): void {
  const type = header("content-type") ?? undefined;
  if (type === undefined ? header(LIBSQL_CLIENT_HEADER) : JSON_TYPE.test(type)) return;
  throw new TenantryError(
    "UNSUPPORTED_MEDIA_TYPE",
    `A JSON body is needed, not ${type === undefined ? "one without a type" : JSON.stringify(type.slice(0, 80))}.`,
    { hint: 'Send "Content-Type: application/json".' },
  );
}

/** @throws {TenantryError} `INVALID_JSON` */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TenantryError("INVALID_JSON", "The body is not valid JSON.", {
      cause: error,
      hint: error instanceof Error ? `${error.message.slice(0, 200)}.` : "Check the body.",
    });
  }
}
