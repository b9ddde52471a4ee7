// Owns Ed25519 key pairs: making them, reading them in the forms they come in, writing them down.
// Signs and verifies nothing: that is token.ts. Public keys alone are verification-key.ts's.
import {
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  importJWK,
  importPKCS8,
  type CryptoKey,
  type JWK,
} from "jose";
import { invalidKey, thumbprint, type VerificationKey } from "./verification-key.ts";

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

/** A new key pair. */
export async function generateSigningKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(ALGORITHM, { crv: "Ed25519", extractable: true });
  return { id: await thumbprint(publicKey), privateKey, publicKey };
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
    return { id: await thumbprint(publicKey), privateKey, publicKey };
  } catch (cause) {
    throw invalidKey("The signing key is not an Ed25519 private key.", "PKCS #8 PEM or a JWK", cause);
  }
}

async function importEd25519(jwk: JWK, extractable: boolean): Promise<CryptoKey> {
  if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519") throw new TypeError("This is no Ed25519 key.");
  const { kty, crv, x, d } = jwk;
  const bare = { kty, crv, ...(x !== undefined && { x }), ...(d !== undefined && { d }) };
  return (await importJWK(bare as JWK, ALGORITHM, { extractable })) as CryptoKey;
}
