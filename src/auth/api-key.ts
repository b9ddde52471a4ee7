// Owns the shape of opaque API keys: how one is made, recognised and hashed.
// Does not know whose a key is: the catalog does, by its hash.
import { base64url } from "jose";
import { TenantryError } from "../tenantry-error.ts";

/** What every key begins with, so that secret scanners find it. */
export const API_KEY_PREFIX = "tnt_";

/** A new key: the secret is shown once, the hash is kept. */
export interface NewApiKey {
  /** `tnt_`, 43 characters of 32 random bytes, 6 of their check sum, all in base64url. */
  readonly secret: string;
  /** SHA-256 of the secret, 64 hexadecimal digits. */
  readonly hash: string;
}

const SECRET_BYTES = 32;
const SHAPE = /^tnt_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/;

/** Makes a key. */
export async function createApiKey(): Promise<NewApiKey> {
  const random = base64url.encode(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
  const secret = `${API_KEY_PREFIX}${random}${checkSum(random)}`;
  return { secret, hash: await hashApiKey(secret) };
}

/** Whether `text` means to be a key, rather than a token. */
export function looksLikeApiKey(text: string): boolean {
  return text.startsWith(API_KEY_PREFIX);
}

/**
 * The hash under which the catalog knows a key. A key of 256 random bits needs no salt and no slow hash.
 *
 * @throws {TenantryError} `UNAUTHENTICATED` when it is no key, such as one with a character lost in copying.
 */
export async function hashApiKey(secret: string): Promise<string> {
  const [, random = "", sum] = SHAPE.exec(secret) ?? [];
  if (sum === undefined || sum !== checkSum(random)) {
    throw new TenantryError("UNAUTHENTICATED", "The API key is incomplete or mistyped.", {
      hint: `A key is ${API_KEY_PREFIX} and 49 characters; copy all of it.`,
    });
  }
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** CRC-32 in base64url: it finds typing errors, and proves nothing. */
function checkSum(text: string): string {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  const sum = new DataView(new ArrayBuffer(4));
  sum.setUint32(0, ~crc);
  return base64url.encode(new Uint8Array(sum.buffer));
}
