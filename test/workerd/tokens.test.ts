// Owns that public keys are read and tokens are checked by the runtime of a Worker, in all the forms that keys come in.
import { expect, test } from "vitest";
import { exportSigningKey, generateSigningKey } from "../../src/auth/signing-key.ts";
import { issueToken, verifyToken } from "../../src/auth/token.ts";
import { importVerificationKeys } from "../../src/worker.ts";

test("a token is checked with its public key, in whatever form that is given", async () => {
  const key = await generateSigningKey();
  const { publicKey, raw, publicJwk, privateKey } = await exportSigningKey(key);
  const jwt = await issueToken({ tenant: "acme", scope: "write", expiresInSeconds: 60, key });
  for (const text of [publicKey, raw, JSON.stringify(publicJwk), JSON.stringify({ keys: [publicJwk] })]) {
    const keys = await importVerificationKeys(text);
    expect(keys.map(({ id }) => id)).toEqual([key.id]);
    expect((await verifyToken(jwt, keys)).tenants.get("acme")).toBe("write");
  }
  await expect(importVerificationKeys(privateKey)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  const others = await importVerificationKeys((await exportSigningKey(await generateSigningKey())).raw);
  await expect(verifyToken(jwt, others)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});
