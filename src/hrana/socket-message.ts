// Owns Hrana's messages over a WebSocket: what comes is told apart here, and what goes is written.
// Does nothing that they ask for; what is asked of a stream is stream-request.ts's.
import type { HranaError } from "./hrana-error.ts";
import { malformed } from "./malformed.ts";

/** Versions of the protocol. A socket that names none speaks the first. */
export type HranaVersion = 1 | 2 | 3;

/** An object of JSON, as it came. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A message of a client. */
export type ClientMessage =
  | { readonly type: "hello"; readonly jwt: string | null }
  | { readonly type: "request"; readonly id: number; readonly request: JsonObject };

/** Since which version there is a request. */
const SINCE: Readonly<Record<string, HranaVersion>> = {
  open_stream: 1,
  close_stream: 1,
  execute: 1,
  batch: 1,
  sequence: 2,
  describe: 2,
  store_sql: 2,
  close_sql: 2,
  open_cursor: 3,
  close_cursor: 3,
  fetch_cursor: 3,
  get_autocommit: 3,
};

/** @throws {TenantryError} `INVALID_ARGUMENT` for what is no message: a client that sends it is beyond help */
export function parseClientMessage(text: string): ClientMessage {
  const message = objectOf(parseJson(text), "A message");
  const { type, jwt, request_id: id } = message;
  if (type === "hello") {
    if (jwt === null || jwt === undefined || typeof jwt === "string") return { type, jwt: jwt || null };
    throw malformed('"jwt" is not a string.');
  }
  if (type !== "request") throw malformed("Message type not recognized.");
  return { type, id: int32(id, "request_id"), request: objectOf(message["request"], "A request") };
}

/** The type of a request. @throws {TenantryError} `INVALID_ARGUMENT` where the version has none such */
export function requestType({ type }: JsonObject, version: HranaVersion): string {
  const since = typeof type === "string" && Object.hasOwn(SINCE, type) ? SINCE[type] : undefined;
  if (since === undefined) throw malformed("Request type not recognized.");
  if (since > version) throw malformed(`Hrana ${version} has no "${type as string}": it came with ${since}.`);
  return type as string;
}

/** @throws {TenantryError} `INVALID_ARGUMENT` */
export function int32(value: unknown, name: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value === (value | 0)) return value;
  throw malformed(`"${name}" is not a 32-bit integer.`);
}

/** @throws {TenantryError} `INVALID_ARGUMENT` */
export function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw malformed(`${what} is not an object.`);
}

/** The answer to a `hello` whose credentials are good. */
export const HELLO_OK = '{"type":"hello_ok"}';

/** The answer to a `hello` that is refused. */
export function helloError(error: HranaError): string {
  return `{"type":"hello_error","error":${JSON.stringify(error)}}`;
}

/** The answer to a request. @param rest of the response behind its type, with a comma before it */
export function responseOk(id: number, type: string, rest = ""): string {
  return `{"type":"response_ok","request_id":${id},"response":{"type":"${type}"${rest}}}`;
}

/** The answer to a request that failed. */
export function responseError(id: number, error: HranaError): string {
  return `{"type":"response_error","request_id":${id},"error":${JSON.stringify(error)}}`;
}

const OK = '{"type":"ok",';
const ERROR = '{"type":"error",';

/** The answer that says what a stream's own result, as pipelines have it, says. */
export function responseOf(id: number, result: string): string {
  return result.startsWith(OK)
    ? `{"type":"response_ok","request_id":${id},${result.slice(OK.length)}`
    : `{"type":"response_error","request_id":${id},${result.slice(ERROR.length)}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("A message is not JSON.");
  }
}
