// Owns reading a request's body within its limit, as JSON.
// Does not know what the JSON should hold.
import type { HonoRequest } from "hono";
import { TenantryError } from "../tenantry-error.ts";

/**
 * The body as JSON.
 * @throws {TenantryError} `UNSUPPORTED_MEDIA_TYPE`, `BODY_TOO_LARGE`, `INVALID_JSON`
 */
export async function readJson(request: HonoRequest, maxBytes: number): Promise<unknown> {
  const type = request.header("content-type");
  if (type === undefined || !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new TenantryError(
      "UNSUPPORTED_MEDIA_TYPE",
      `A JSON body is needed, not ${type ?? "one without a type"}.`,
      {
        hint: 'Send "Content-Type: application/json".',
      },
    );
  }
  const text = await readText(request, maxBytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TenantryError("INVALID_JSON", "The body is not valid JSON.", {
      cause: error,
      hint: error instanceof Error ? `${error.message.slice(0, 200)}.` : "Check the body.",
    });
  }
}

/** The body as text. @throws {TenantryError} `BODY_TOO_LARGE`, before more than that is read */
export async function readText(request: HonoRequest, maxBytes: number): Promise<string> {
  const declared = request.header("content-length");
  if (declared !== undefined) {
    if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
    return request.text();
  }
  const stream = request.raw.body;
  if (stream === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** The error for a body over its limit. */
export function tooLarge(maxBytes: number): TenantryError {
  return new TenantryError("BODY_TOO_LARGE", `The body is larger than ${maxBytes} bytes.`, {
    hint: "Send it in parts.",
  });
}
