// From an Authorization header to a caller: tokens, API keys, what is remembered and what is not.
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { createApiKey, hashApiKey } from "../src/auth/api-key.ts";
import { createAuthenticator, type ApiKeyRecord } from "../src/auth/authenticate.ts";
import { scopeOver } from "../src/auth/caller.ts";
import { generateSigningKey, type SigningKey } from "../src/auth/signing-key.ts";
import { issueToken } from "../src/auth/token.ts";

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey();
});

function refusal(message: RegExp) {
  return expect.objectContaining({ code: "UNAUTHENTICATED", message: expect.stringMatching(message) });
}

/** Keys by hash, with a count of the questions asked. */
function keyring(records: Map<string, ApiKeyRecord>, remembers = true) {
  const asked = { peek: 0, find: 0 };
  return {
    asked,
    ...(remembers && {
      peek(hash: string) {
        asked.peek++;
        return records.get(hash);
      },
    }),
    async find(hash: string) {
      asked.find++;
      return records.get(hash);
    },
  };
}

describe("API keys", () => {
  test("are recognisable, check themselves, and are hashed with SHA-256", async () => {
    const { secret, hash } = await createApiKey();
    expect(secret).toMatch(/^tnt_[A-Za-z0-9_-]{49}$/);
    expect(hash).toBe(createHash("sha256").update(secret).digest("hex"));
    expect(await hashApiKey(secret)).toBe(hash);
    expect((await createApiKey()).secret).not.toBe(secret);
  });

  test("with one character changed or lost are refused before anybody is asked", async () => {
    const { secret } = await createApiKey();
    await fc.assert(
      fc.asyncProperty(fc.nat(secret.length - 1), fc.constantFrom("", ..."aZ09-_"), async (at, char) => {
        fc.pre(char !== secret.charAt(at));
        const wrong = secret.slice(0, at) + char + secret.slice(at + 1);
        await expect(hashApiKey(wrong)).rejects.toEqual(refusal(/mistyped/));
      }),
    );
    await expect(hashApiKey(`${secret}\n`)).rejects.toEqual(refusal(/mistyped/));
  });

  test.each([
    [{ tenant: "acme", scope: "write" }, "acme", "write"],
    [{ tenant: "acme", scope: "write" }, "globex", undefined],
    [{ tenant: "acme", scope: "admin" }, "acme", "schema"],
    [{ tenant: null, scope: "admin" }, "globex", "admin"],
    [{ tenant: null, scope: "read" }, "globex", "read"],
  ])("%j on %s is %s", async (record, tenant, scope) => {
    const { secret, hash } = await createApiKey();
    const keys = keyring(new Map([[hash, { id: "k1", expiresAt: null, ...record }]]));
    const caller = await createAuthenticator({ keys }).authenticate(`Bearer ${secret}`);
    expect(caller && scopeOver(caller, tenant)).toBe(scope);
    expect(caller?.subject).toBe("key k1");
  });

  test("are found at once the second time, and refused at once after being revoked", async () => {
    const { secret, hash } = await createApiKey();
    const records = new Map([[hash, { id: "k1", tenant: "acme", scope: "read", expiresAt: null }]]);
    const keys = keyring(records);
    const { authenticate } = createAuthenticator({ keys });
    const first = await authenticate(`Bearer ${secret}`);
    expect(authenticate(`Bearer ${secret}`)).toBe(first);
    expect(keys.asked).toEqual({ peek: 1, find: 1 });
    records.clear();
    await expect(authenticate(`Bearer ${secret}`)).rejects.toEqual(refusal(/revoked/));
  });

  test("are asked for every time of a lookup that remembers nothing", async () => {
    const { secret, hash } = await createApiKey();
    const records = new Map([[hash, { id: "k1", tenant: "acme", scope: "read", expiresAt: null }]]);
    const keys = keyring(records, false);
    const { authenticate } = createAuthenticator({ keys });
    await authenticate(`Bearer ${secret}`);
    await authenticate(`Bearer ${secret}`);
    expect(keys.asked.find).toBe(2);
  });

  test("end when they expire", async () => {
    const { secret, hash } = await createApiKey();
    let now = 1_000;
    const keys = keyring(new Map([[hash, { id: "k1", tenant: "acme", scope: "read", expiresAt: 2_000 }]]));
    const { authenticate } = createAuthenticator({ keys, clock: () => now });
    await authenticate(`Bearer ${secret}`);
    now = 2_000;
    expect(() => authenticate(`Bearer ${secret}`)).toThrow(refusal(/expired/));
  });

  test("that nobody knows are refused", async () => {
    const { secret } = await createApiKey();
    for (const options of [{}, { keys: keyring(new Map()) }]) {
      await expect(createAuthenticator(options).authenticate(`Bearer ${secret}`)).rejects.toEqual(
        refusal(/not known/),
      );
    }
  });
});

describe("tokens", () => {
  test("are verified once, remembered, and refused when they expire", async () => {
    let now = Date.UTC(2026, 0, 1);
    const clock = () => now;
    const { authenticate, forget } = createAuthenticator({ publicKeys: [key], clock });
    const jwt = await issueToken({ tenant: "acme", scope: "read", expiresInSeconds: 10, key, clock });
    const first = await authenticate(`Bearer ${jwt}`);
    expect(authenticate(`Bearer ${jwt}`)).toBe(first);
    forget();
    expect(await authenticate(`Bearer ${jwt}`)).toEqual(first);
    now += 10_000;
    expect(() => authenticate(`Bearer ${jwt}`)).toThrow(refusal(/expired/));
    forget();
    await expect(authenticate(`Bearer ${jwt}`)).rejects.toEqual(refusal(/expired/));
  });

  test("that are refused are not remembered as good", async () => {
    const { authenticate } = createAuthenticator({ publicKeys: [await generateSigningKey()] });
    const jwt = await issueToken({ tenant: "acme", scope: "read", expiresInSeconds: 10, key });
    for (let i = 0; i < 2; i++)
      await expect(authenticate(`Bearer ${jwt}`)).rejects.toEqual(refusal(/signature/));
  });
});

describe("the header", () => {
  test("may be missing: nobody is nobody", () => {
    expect(createAuthenticator().authenticate(undefined)).toBeUndefined();
    expect(createAuthenticator().authenticate(null)).toBeUndefined();
  });

  test("may be Basic with the credential as the password, and any case of the scheme", async () => {
    const { authenticate } = createAuthenticator({ publicKeys: [key] });
    const jwt = await issueToken({ tenant: "acme", scope: "read", expiresInSeconds: 10, key });
    for (const header of [`Basic ${btoa(`any:${jwt}`)}`, `basic ${btoa(`:${jwt}`)}`, `BEARER  ${jwt} `]) {
      expect((await authenticate(header))?.tenants.get("acme")).toBe("read");
    }
  });

  test.each([
    "",
    "Bearer",
    "Bearer ",
    "Basic !!!",
    `Basic ${btoa("nocolon")}`,
    "Digest x",
    "tnt_x",
    "Bearer a, Bearer b",
    `Bearer ${"a".repeat(9_000)}`,
  ])("%j is refused", async (header) => {
    await expect(createAuthenticator({ publicKeys: [key] }).authenticate(header)).rejects.toEqual(
      refusal(/Authorization header/),
    );
  });

  test("of any text gives a refusal, never another error", async () => {
    const { authenticate } = createAuthenticator({ publicKeys: [key], keys: keyring(new Map()) });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("Bearer ", "Basic ", "Bearer tnt_", ""),
        fc.string(),
        async (scheme, text) => {
          await expect(authenticate(scheme + text)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
        },
      ),
    );
  });
});
