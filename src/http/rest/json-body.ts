// Owns reading the JSON body of a row request within its limit.
// Checks no columns.
import type { HonoRequest } from "hono";
import { TenantryError } from "../../tenantry-error.ts";
import { readText } from "../read-body.ts";

/** One object of a body. */
export type BodyRow = Record<string, unknown>;

interface ReviverContext {
  source?: string;
}
interface RawJson {
  rawJSON(text: string): unknown;
}

const LARGE_INTEGER = /\d{16}/;
const INTEGER = /^-?\d+$/;

/**
 * Reads one object or an array of objects. Integers that a JavaScript number would round keep their digits.
 * @throws {TenantryError} `UNSUPPORTED_MEDIA_TYPE`, `BODY_TOO_LARGE`, `INVALID_JSON`, `INVALID_ARGUMENT`
 */
export async function readRows(request: HonoRequest, maxBytes: number): Promise<BodyRow[]> {
  const type = request.header("content-type") ?? "";
  if (!/^application\/(?:vnd\.pgrst\.(?:array|object)\+)?json\s*(?:;|$)/i.test(type)) {
    throw new TenantryError("UNSUPPORTED_MEDIA_TYPE", "The body of a row request is application/json.", {
      hint: 'Send "Content-Type: application/json".',
    });
  }
  const text = await readText(request, maxBytes);
  let body: unknown;
  try {
    body = LARGE_INTEGER.test(text) ? JSON.parse(text, exact) : JSON.parse(text);
  } catch (cause) {
    throw new TenantryError("INVALID_JSON", "The body is not valid JSON.", {
      cause,
      hint: `${(cause as Error).message.slice(0, 200)}.`,
    });
  }
  const rows: unknown[] = Array.isArray(body) ? body : [body];
  for (const row of rows) {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new TenantryError("INVALID_ARGUMENT", "The body is neither an object nor an array of objects.");
    }
  }
  return rows as BodyRow[];
}

function exact(_key: string, value: unknown, context?: ReviverContext): unknown {
  const source = context?.source;
  return typeof value === "number" &&
    !Number.isSafeInteger(value) &&
    source !== undefined &&
    INTEGER.test(source)
    ? (JSON as unknown as RawJson).rawJSON(source)
    : value;
}
