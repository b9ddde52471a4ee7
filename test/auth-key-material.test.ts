// Ed25519 keys in the forms that people have them in.
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { exportSigningKey, generateSigningKey, importSigningKey } from "../src/auth/signing-key.ts";
import { issueToken, verifyToken } from "../src/auth/token.ts";
import { importVerificationKeys } from "../src/auth/verification-key.ts";

test("a pair survives being written down, and keeps its id", async () => {
  const key = await generateSigningKey();
  const exported = await exportSigningKey(key);
  const again = await importSigningKey(exported.privateKey);
  expect(again.id).toBe(key.id);
  const jwt = await issueToken({ tenant: "acme", scope: "read", expiresInSeconds: 60, key: again });
  const forms = [
    exported.publicKey,
    exported.raw,
    JSON.stringify(exported.publicJwk),
    JSON.stringify({ keys: [exported.publicJwk] }),
  ];
  for (const text of forms) {
    const keys = await importVerificationKeys(`\n${text}\n`);
    expect(keys.map(({ id }) => id)).toEqual([key.id]);
    expect((await verifyToken(jwt, keys)).tenants.get("acme")).toBe("read");
  }
});

test("several public keys follow one another", async () => {
  const pems = await Promise.all(
    [1, 2].map(async () => (await exportSigningKey(await generateSigningKey())).publicKey),
  );
  expect(await importVerificationKeys(pems.join("\n"))).toHaveLength(2);
});

test("OpenSSL's files are read", async () => {
  const pair = generateKeyPairSync("ed25519");
  const privateKey = await importSigningKey(
    pair.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  );
  const [publicKey] = await importVerificationKeys(
    pair.publicKey.export({ type: "spki", format: "pem" }) as string,
  );
  expect(publicKey?.id).toBe(privateKey.id);
  const jwk = await importSigningKey(JSON.stringify(pair.privateKey.export({ format: "jwk" })));
  expect(jwk.id).toBe(privateKey.id);
});

describe("what is no such key is refused without being repeated", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed = generateKeyPairSync("ed25519");
  const secretPem = ed.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const secretJwk = JSON.stringify(ed.privateKey.export({ format: "jwk" }));

  test.each([
    ["nothing", ""],
    ["words", "not a key"],
    ["an RSA key", rsa.publicKey.export({ type: "spki", format: "pem" }) as string],
    ["a secret", JSON.stringify({ kty: "oct", k: "c2VjcmV0" })],
    ["an empty set", '{"keys":[]}'],
    ["broken JSON", "{"],
    ["a private key", secretPem],
    ["a private JWK", secretJwk],
  ])("as a public key: %s", async (_, text) => {
    await expect(importVerificationKeys(text)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: "The public key is not an Ed25519 public key.",
    });
  });

  test.each([
    ["words", "not a key"],
    ["a public key", ed.publicKey.export({ type: "spki", format: "pem" }) as string],
    ["a public JWK", JSON.stringify(ed.publicKey.export({ format: "jwk" }))],
    ["an RSA key", rsa.privateKey.export({ type: "pkcs8", format: "pem" }) as string],
  ])("as a private key: %s", async (_, text) => {
    await expect(importSigningKey(text)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: "The signing key is not an Ed25519 private key.",
    });
  });
});
