// Owns Ed25519 key material: making it, reading it in the forms it comes in, writing it down.
// Signs and verifies nothing: that is token.ts.
import {
  base64url,
  calculateJwkThumbprint,
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  importJWK,
  importPKCS8,
  importSPKI,
  type CryptoKey,
  type JWK,
} from "jose";
import { TenantryError } from "../tenantry-error.ts";

/** A key that checks signatures. */
export interface VerificationKey {
  /** The RFC 7638 thumbprint of the public key: the `kid` of the tokens that it checks. */
  readonly id: string;
  readonly publicKey: CryptoKey;
}

/** A key that signs, with its other half. */
export interface SigningKey extends VerificationKey {
  readonly privateKey: CryptoKey;
}

/** A key pair written down: `privateKey` as PKCS #8 PEM, `publicKey` as SPKI PEM, `raw` as sqld takes it too. */
export interface ExportedKeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
  /** The 32 bytes of the public key in base64url. */
  readonly raw: string;
  readonly publicJwk: JWK;
}

const ALGORITHM = "EdDSA";
const PEM = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g;
const RAW = /^[A-Za-z0-9_-]{43}=?$/;

/** A new key pair. */
export async function generateSigningKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(ALGORITHM, { crv: "Ed25519", extractable: true });
  return { id: await idOf(publicKey), privateKey, publicKey };
}

/** Writes a key pair down. The private half is a secret. */
export async function exportSigningKey(key: SigningKey): Promise<ExportedKeyPair> {
  const publicJwk = await exportJWK(key.publicKey);
  return {
    privateKey: await exportPKCS8(key.privateKey),
    publicKey: await exportSPKI(key.publicKey),
    raw: publicJwk.x ?? "",
    publicJwk: { ...publicJwk, kid: key.id, alg: ALGORITHM, use: "sig" },
  };
}

/**
 * Reads a private key: PKCS #8 PEM, or a JWK as JSON.
 *
 * @throws {TenantryError} `INVALID_OPTION`, without a word of the key.
 */
export async function importSigningKey(text: string): Promise<SigningKey> {
  try {
    const privateKey = text.trimStart().startsWith("{")
      ? await importEd25519(JSON.parse(text) as JWK, true)
      : await importPKCS8(text.trim(), ALGORITHM, { extractable: true });
    const { d: _, ...publicJwk } = await exportJWK(privateKey);
    const publicKey = await importEd25519(publicJwk, true);
    if (privateKey.type !== "private") throw new TypeError("This is a public key.");
    return { id: await idOf(publicKey), privateKey, publicKey };
  } catch (cause) {
    throw invalid("The signing key is not an Ed25519 private key.", "PKCS #8 PEM or a JWK", cause);
  }
}

/**
 * Reads public keys: SPKI PEM (several may follow one another), a JWK or a JWK set as JSON, or, as sqld takes
 * it, the 32 bytes in base64url.
 *
 * @throws {TenantryError} `INVALID_OPTION`, also when a private key is given: a server that only checks tokens
 * should not have it.
 */
export async function importVerificationKeys(text: string): Promise<VerificationKey[]> {
  try {
    const publicKeys = await Promise.all(readPublicKeys(text.trim()));
    if (publicKeys.length === 0) throw new TypeError("There is no key in the text.");
    if (publicKeys.some((key) => key.type !== "public")) throw new TypeError("This is a private key.");
    return await Promise.all(publicKeys.map(async (publicKey) => ({ id: await idOf(publicKey), publicKey })));
  } catch (cause) {
    throw invalid(
      "The public key is not an Ed25519 public key.",
      "SPKI PEM, a JWK, a JWK set, or 32 bytes in base64url",
      cause,
    );
  }
}

function readPublicKeys(text: string): Promise<CryptoKey>[] {
  if (text.startsWith("{")) {
    const json = JSON.parse(text) as JWK & { keys?: JWK[] };
    return (json.keys ?? [json]).map((jwk) => importEd25519(jwk, true));
  }
  if (RAW.test(text)) {
    return [importEd25519({ kty: "OKP", crv: "Ed25519", x: base64url.encode(base64url.decode(text)) }, true)];
  }
  return (text.match(PEM) ?? []).map((pem) => importSPKI(pem, ALGORITHM, { extractable: true }));
}

async function importEd25519(jwk: JWK, extractable: boolean): Promise<CryptoKey> {
  if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519") throw new TypeError("This is no Ed25519 key.");
  const { kty, crv, x, d } = jwk;
  const bare = { kty, crv, ...(x !== undefined && { x }), ...(d !== undefined && { d }) };
  return (await importJWK(bare as JWK, ALGORITHM, { extractable })) as CryptoKey;
}

async function idOf(publicKey: CryptoKey): Promise<string> {
  return calculateJwkThumbprint(await exportJWK(publicKey));
}

function invalid(message: string, forms: string, cause: unknown): TenantryError {
  return new TenantryError("INVALID_OPTION", message, {
    hint: `Give it as ${forms}. "tenantry token keygen" makes a pair.`,
    cause,
  });
}
