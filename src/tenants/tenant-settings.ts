// Owns which settings a tenant can have, and refusing those that make no sense.
// Applies none: limits are the handles', blocks blocked-tenant.ts's, keys those who authenticate.
import { importVerificationKeys } from "../auth/verification-key.ts";
import {
  DEFAULT_TENANT_SETTINGS,
  type SettingsUpdate,
  type TenantRecord,
  type TenantSettings,
} from "../catalog/tenant-record.ts";
import { givenOptions } from "../given-options.ts";
import { TenantryError } from "../tenantry-error.ts";

/** Characters of the reason for a block. */
export const MAX_BLOCK_REASON_LENGTH = 500;
/** Characters of a public key. */
export const MAX_JWT_KEY_LENGTH = 2_000;

/**
 * The settings as the catalog keeps them: a reason goes with its block.
 * @throws {TenantryError} `INVALID_ARGUMENT`
 */
export async function checkSettings(settings: SettingsUpdate): Promise<Partial<TenantSettings>> {
  const { blockReason, jwtKey } = settings;
  for (const name of ["statementTimeoutMs", "transactionTimeoutMs", "maxBytes"] as const) {
    const limit = settings[name] ?? null;
    if (limit !== null && !(Number.isSafeInteger(limit) && limit >= 1)) {
      throw invalid(`${name} is a whole number from 1, or null, not ${limit}.`, "Null takes a limit away.");
    }
  }
  if (blockReason && blockReason.length > MAX_BLOCK_REASON_LENGTH) {
    throw invalid(`The reason is longer than ${MAX_BLOCK_REASON_LENGTH} characters.`, "Make it shorter.");
  }
  if (typeof jwtKey === "string") await assertPublicKey(jwtKey);
  const given = givenOptions(settings);
  // Who unblocks a tenant need not think of why it was blocked.
  return settings.blocked === null ? { ...given, blockReason: null } : given;
}

/** The settings of a tenant alone. */
export function settingsOf(record: TenantRecord): TenantSettings {
  return Object.fromEntries(
    Object.keys(DEFAULT_TENANT_SETTINGS).map((name) => [name, record[name as keyof TenantSettings]]),
  ) as unknown as TenantSettings;
}

async function assertPublicKey(text: string): Promise<void> {
  const hint = "Give one Ed25519 public key: SPKI PEM, or its 32 bytes in base64url.";
  if (text.length > MAX_JWT_KEY_LENGTH) throw invalid("The JWT key is too long for a public key.", hint);
  let keys: readonly unknown[];
  try {
    keys = await importVerificationKeys(text);
  } catch (cause) {
    throw new TenantryError("INVALID_ARGUMENT", "The JWT key is not an Ed25519 public key.", { hint, cause });
  }
  if (keys.length !== 1) throw invalid("The JWT key is more than one key.", hint);
}

function invalid(message: string, hint: string): TenantryError {
  return new TenantryError("INVALID_ARGUMENT", message, { hint });
}
