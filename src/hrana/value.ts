// Owns SQLite's values as the protocol writes them in JSON, both ways.
// Does not bind or read them: the driver does.
import { malformed } from "./malformed.ts";

/** A value that SQLite can hold. */
export type HranaValue = null | bigint | number | string | Uint8Array;

const DECIMAL = /^[+-]?\d{1,19}$/;
const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 63n - 1n;

/** Characters that are made of bytes in one call: more would not fit on the stack. */
const CHUNK = 8_192;

/** @throws {TenantryError} `INVALID_ARGUMENT` */
export function decodeValue(value: unknown): HranaValue {
  if (typeof value !== "object" || value === null) throw malformed("A value is not an object.");
  const { type, value: content, base64 } = value as { type?: unknown; value?: unknown; base64?: unknown };
  switch (type) {
    case "null":
      return null;
    case "integer":
      return decodeInteger(content);
    case "float":
      if (typeof content === "number") return content;
      throw malformed("The value of a float is not a number.");
    case "text":
      if (typeof content === "string") return content;
      throw malformed("The value of a text is not a string.");
    case "blob":
      return decodeBlob(base64);
    default:
      throw malformed("Value type not recognized.");
  }
}

/** The value as JSON text. */
export function valueText(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `{"type":"integer","value":"${value}"}`;
    case "string":
      return `{"type":"text","value":${JSON.stringify(value)}}`;
    case "number":
      return `{"type":"float","value":${numberText(value)}}`;
    default:
      return value instanceof Uint8Array
        ? `{"type":"blob","base64":"${base64Of(value)}"}`
        : '{"type":"null"}';
  }
}

/** Without padding, as libSQL's server sends it and its strictest clients want it. */
export function base64Of(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.byteLength; at += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(binary).replace(/=+$/, "");
}

/** Bytes of base64, padded or not; undefined where it is none. */
export function bytesOf(base64: string): Uint8Array | undefined {
  try {
    const binary = atob(base64);
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
    return bytes;
  } catch {
    // Whoever asks says what it should have been.
    return undefined;
  }
}

/** An infinity is the number that every reader of JSON rounds to it: JSON has no word for it. */
export function numberText(value: number): string {
  if (Number.isFinite(value)) return value === 0 && Object.is(value, -0) ? "-0.0" : String(value);
  if (Number.isNaN(value)) return "null";
  return value > 0 ? "1e999" : "-1e999";
}

/** @throws {TenantryError} `INVALID_ARGUMENT` where it is not the decimal string of a 64-bit integer */
export function decodeInteger(content: unknown): bigint {
  if (typeof content === "string" && DECIMAL.test(content)) {
    const integer = BigInt(content);
    if (integer >= MIN_INTEGER && integer <= MAX_INTEGER) return integer;
  }
  throw malformed("The value of an integer is not the decimal string of a 64-bit one.");
}

function decodeBlob(base64: unknown): Uint8Array {
  const bytes = typeof base64 === "string" ? bytesOf(base64) : undefined;
  if (bytes) return bytes;
  throw malformed("The value of a blob is not base64.");
}
