// Owns the name of a tenant: the only way to make a TenantId is parseTenantId().
// Does not know whether such a tenant exists.
import { TenantryError } from "./tenantry-error.ts";

declare const brand: unique symbol;

/** The name of a tenant, checked: safe as a file name, a URL segment, and a D1 or Turso database name. */
export type TenantId = string & { readonly [brand]: "TenantId" };

/** The longest tenant id, in characters: the length of a DNS label. */
export const MAX_TENANT_ID_LENGTH = 63;

/** Ids that would collide with the version segments libSQL clients append to a base URL. */
export const RESERVED_TENANT_IDS: readonly string[] = ["v1", "v2", "v3", "v3-protobuf"];

/** Device names that Windows gives a meaning of their own, whatever folder they are in. */
const DEVICE_NAME = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])$/;
const SHAPE = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;

/**
 * Checks the name of a tenant: 1 to 63 lower-case letters, digits, `-` and `_`, the first and the last a
 * letter or a digit, not a reserved name.
 *
 * @throws {TenantryError} `INVALID_TENANT_ID`, which never repeats more than the beginning of a bad name.
 */
export function parseTenantId(input: unknown): TenantId {
  if (typeof input !== "string") {
    throw invalid(`A tenant id is a string, not ${input === null ? "null" : typeof input}.`);
  }
  if (!SHAPE.test(input)) throw invalid(`${quote(input)} is not a tenant id.`);
  if (RESERVED_TENANT_IDS.includes(input) || DEVICE_NAME.test(input)) {
    throw invalid(`${quote(input)} is a reserved name.`);
  }
  return input as TenantId;
}

/** Whether {@link parseTenantId} would take `input`. */
export function isTenantId(input: unknown): input is TenantId {
  return (
    typeof input === "string" &&
    SHAPE.test(input) &&
    !RESERVED_TENANT_IDS.includes(input) &&
    !DEVICE_NAME.test(input)
  );
}

/** Whether `id` can be a host name's label: DNS has no `_`. */
export function isHostLabel(id: TenantId): boolean {
  return !id.includes("_");
}

function invalid(message: string): TenantryError {
  return new TenantryError("INVALID_TENANT_ID", message, {
    hint: `Use 1 to ${MAX_TENANT_ID_LENGTH} lower-case letters, digits, "-" and "_", beginning and ending with a letter or digit; not ${RESERVED_TENANT_IDS.join(", ")} or a device name such as con.`,
  });
}

function quote(input: string): string {
  return JSON.stringify(input.length > 40 ? `${input.slice(0, 40)}…` : input);
}
