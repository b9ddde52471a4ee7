// Owns public keys that check tokens: reading them in the forms they come in, and their ids. By the runtime's own
// WebCrypto, so that a Worker has no more than it needs. Signs and verifies nothing: that is token.ts.
import { base64url } from "jose";
import { TenantryError } from "../tenantry-error.ts";

/** A key as WebCrypto has it. */
export type PublicKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** A key that checks signatures. */
export interface VerificationKey {
  /** The RFC 7638 thumbprint of the public key: the `kid` of the tokens that it checks. */
  readonly id: string;
  readonly publicKey: PublicKey;
}

interface Jwk {
  readonly kty?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly d?: string;
}

const PEM = /-----BEGIN ([A-Z ]+)-----([\s\S]+?)-----END \1-----/g;
const RAW = /^[A-Za-z0-9_-]{43}=?$/;

/**
 * Reads public keys: SPKI PEM (several may follow one another), a JWK or a JWK set as JSON, or, as sqld takes
 * it, the 32 bytes in base64url.
 *
 * @throws {TenantryError} `INVALID_OPTION`, also when a private key is given: a server that only checks tokens
 * should not have it.
 */
export async function importVerificationKeys(text: string): Promise<VerificationKey[]> {
  try {
    const keys = await Promise.all(readPublicKeys(text.trim()));
    if (keys.length === 0) throw new TypeError("There is no key in the text.");
    return await Promise.all(keys.map(async (publicKey) => ({ id: await thumbprint(publicKey), publicKey })));
  } catch (cause) {
    throw invalidKey(
      "The public key is not an Ed25519 public key.",
      "SPKI PEM, a JWK, a JWK set, or 32 bytes in base64url",
      cause,
    );
  }
}

/** The RFC 7638 thumbprint of an Ed25519 key. */
export async function thumbprint(key: PublicKey): Promise<string> {
  const { crv, kty, x } = await crypto.subtle.exportKey("jwk", key);
  // Its members in the order of their names, and no others.
  const bytes = new TextEncoder().encode(JSON.stringify({ crv, kty, x }));
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** The error for what is no key, without a word of it. */
export function invalidKey(message: string, forms: string, cause: unknown): TenantryError {
  return new TenantryError("INVALID_OPTION", message, {
    hint: `Give it as ${forms}. "tenantry token keygen" makes a pair.`,
    cause,
  });
}

function readPublicKeys(text: string): Promise<PublicKey>[] {
  if (text.startsWith("{")) {
    const json = JSON.parse(text) as Jwk & { keys?: Jwk[] };
    return (json.keys ?? [json]).map(importJwk);
  }
  if (RAW.test(text)) {
    return [importJwk({ kty: "OKP", crv: "Ed25519", x: base64url.encode(base64url.decode(text)) })];
  }
  return [...text.matchAll(PEM)].map(async ([, label, body = ""]) => {
    if (label !== "PUBLIC KEY") throw new TypeError(`This is a ${label}.`);
    const der = Uint8Array.from(atob(body.replaceAll(/\s/g, "")), (char) => char.charCodeAt(0));
    return crypto.subtle.importKey("spki", der, "Ed25519", true, ["verify"]);
  });
}

async function importJwk({ kty, crv, x, d }: Jwk): Promise<PublicKey> {
  if (kty !== "OKP" || crv !== "Ed25519" || x === undefined) throw new TypeError("This is no Ed25519 key.");
  if (d !== undefined) throw new TypeError("This is a private key.");
  return crypto.subtle.importKey("jwk", { kty, crv, x }, "Ed25519", true, ["verify"]);
}
