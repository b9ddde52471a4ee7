// Owns which JavaScript values may stand for a `?`. D1's list is the rule, and `bigint` where a driver has it.
import { d1Error } from "./d1-error.ts";

/** @throws {TenantryError} `TYPE_ERROR`, in D1's words, for a value that no database takes */
export function assertParameter(value: unknown): void {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
      return;
    case "object":
      if (value === null || value instanceof ArrayBuffer || ArrayBuffer.isView(value) || isBytes(value))
        return;
  }
  throw d1Error(
    "TYPE_ERROR",
    `Type '${typeof value}' not supported for value '${shown(value)}'`,
    { hint: "Bind null, a number, a bigint, a string, a boolean, or a buffer." },
    "D1_TYPE_ERROR",
  );
}

function shown(value: unknown): string {
  if (typeof value === "function" || typeof value === "symbol") return typeof value;
  try {
    return String(value);
  } catch {
    // Lists in lists by the thousand, and objects with a `toString` of their own, are no text.
    return typeof value;
  }
}

/**
 * `params` with nothing but null, numbers, bigints, strings and `Uint8Array`s; the same array where it holds
 * no other already. @throws {TenantryError} `TYPE_ERROR`
 */
export function bindable(params: readonly unknown[]): readonly unknown[] {
  // Not every(): it takes longer for a few values than the loop that it saves.
  for (let index = 0; index < params.length; index++) {
    if (!isBindable(params[index])) return params.map(toBindable);
  }
  return params;
}

function isBindable(value: unknown): boolean {
  return (
    value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint"
  );
}

function toBindable(value: unknown): unknown {
  assertParameter(value);
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return Array.isArray(value) ? Uint8Array.from(value) : value;
}

/** D1 takes for a blob the array of numbers that it gives for one. */
function isBytes(value: object): boolean {
  return (
    Array.isArray(value) &&
    value.every((byte) => typeof byte === "number" && Number.isInteger(byte) && byte >= 0 && byte <= 255)
  );
}
