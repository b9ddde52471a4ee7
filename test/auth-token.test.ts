// Tokens: what is issued is understood again, by sqld's rules, and everything else is refused.
import {
  CompactSign,
  exportSPKI,
  SignJWT,
  UnsecuredJWT,
  decodeJwt,
  generateKeyPair,
  type JWTPayload,
} from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { SCOPES, scopeOver, type Scope } from "../src/auth/caller.ts";
import { generateSigningKey, type SigningKey } from "../src/auth/signing-key.ts";
import { issueToken, verifyToken } from "../src/auth/token.ts";

const NOW = Date.UTC(2026, 0, 1);
const clock = () => NOW;
let key: SigningKey;
let other: SigningKey;

beforeAll(async () => {
  [key, other] = await Promise.all([generateSigningKey(), generateSigningKey()]);
});

function sign(claims: JWTPayload, signer = key): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: "EdDSA" }).sign(signer.privateKey);
}

async function granted(claims: JWTPayload, tenant: string): Promise<Scope | undefined> {
  return scopeOver(await verifyToken(await sign(claims), [key], NOW), tenant);
}

function refusal(message: RegExp) {
  return expect.objectContaining({ code: "UNAUTHENTICATED", message: expect.stringMatching(message) });
}

describe("issued tokens", () => {
  test.each(["read", "write", "schema"] as const)("%s on one tenant", async (scope) => {
    const jwt = await issueToken({ tenant: "acme", scope, expiresInSeconds: 60, key, clock, subject: "ann" });
    const caller = await verifyToken(jwt, [other, key], NOW);
    expect(scopeOver(caller, "acme")).toBe(scope);
    expect(scopeOver(caller, "globex")).toBeUndefined();
    expect(caller).toMatchObject({
      subject: "ann",
      everywhere: null,
      incarnation: null,
      expiresAt: NOW + 60_000,
    });
  });

  test.each(SCOPES)("%s on all tenants", async (scope) => {
    const caller = await verifyToken(
      await issueToken({ scope, expiresInSeconds: null, key, clock }),
      [key],
      NOW,
    );
    expect(scopeOver(caller, "anything")).toBe(scope);
    expect(caller.expiresAt).toBeNull();
  });

  test("say it in sqld's words where it has them", async () => {
    const claims = async (scope: Scope, tenant?: string) => {
      const { iat: _, ...rest } = decodeJwt(
        await issueToken({
          scope,
          expiresInSeconds: null,
          key,
          clock,
          ...(tenant !== undefined && { tenant }),
        }),
      );
      return rest;
    };
    expect(await claims("read", "acme")).toEqual({ id: "acme", a: "ro" });
    expect(await claims("write", "acme")).toEqual({ id: "acme", a: "rw" });
    expect(await claims("schema", "acme")).toEqual({ p: { rw: { ns: ["acme"] }, ddl: { ns: ["acme"] } } });
    expect(await claims("read")).toEqual({ a: "ro" });
    expect(await claims("admin")).toEqual({ a: "rw", tenantry: "admin" });
  });

  test("carry the incarnation", async () => {
    const jwt = await issueToken({
      tenant: "acme",
      incarnation: "i1",
      scope: "read",
      expiresInSeconds: 1,
      key,
      clock,
    });
    expect((await verifyToken(jwt, [key], NOW)).incarnation).toBe("i1");
  });

  test.each([0, -1, 1.5, Number.NaN, Infinity])("cannot end in %d seconds", async (expiresInSeconds) => {
    await expect(issueToken({ scope: "read", expiresInSeconds, key })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("are never admin over one tenant", async () => {
    await expect(
      issueToken({ tenant: "acme", scope: "admin", expiresInSeconds: null, key }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("sqld's claims", () => {
  test.each<[JWTPayload, string, Scope | undefined]>([
    [{ id: "acme", a: "ro" }, "acme", "read"],
    [{ id: "acme", a: "roa" }, "acme", "read"],
    [{ id: "acme", a: "rw" }, "acme", "write"],
    [{ id: "acme" }, "acme", "write"],
    [{ id: "acme" }, "globex", undefined],
    [{ a: "rw" }, "globex", "write"],
    [{ p: { ro: { ns: ["a", "b"] } } }, "b", "read"],
    [{ p: { rwa: { ns: ["a"] } } }, "a", "write"],
    [{ p: { roa: { ns: ["a"] } } }, "a", "read"],
    [{ p: { ddl: { ns: ["a"] }, ro: { ns: ["a"] } } }, "a", "schema"],
    [{ p: { rw: { ns: ["a"] }, roa: { ns: ["a"] } } }, "a", "write"],
    [{ id: "acme", a: "rw", p: { ro: { ns: ["b"], tags: ["t"] } } }, "acme", undefined],
    [{ id: "acme", a: "rw", p: { ro: { ns: ["b"], tags: ["t"] } } }, "b", "read"],
    [{ tenantry: "admin" }, "acme", "admin"],
  ])("%j on %s is %s", async (claims, tenant, scope) => {
    expect(await granted(claims, tenant)).toBe(scope);
  });

  test.each<[JWTPayload, RegExp]>([
    [{}, /grants nothing/],
    [{ p: {} }, /grants nothing/],
    [{ p: { ro: { tags: ["t"] } } }, /grants nothing/],
    [{ p: { tenantry: { ns: ["a"] } } }, /grants nothing/],
    [{ p: null, id: "acme" } as JWTPayload, /grants nothing/],
    [{ id: "acme", a: "root" }, /"a"/],
    [{ id: 7, a: "ro" }, /"id"/],
    [{ p: { rw: { ns: "acme" } } }, /"p.rw.ns"/],
    [{ tenantry: "root" }, /"tenantry"/],
    [{ id: "acme", tenantry: "admin" }, /contradict/],
    [{ id: "acme", exp: NOW / 1000 - 1 }, /expired/],
    [{ id: "acme", exp: NOW / 1000 }, /expired/],
    [{ id: "acme", nbf: NOW / 1000 + 60 }, /not yet valid/],
    [{ id: "acme", exp: "soon" } as unknown as JWTPayload, /"exp"/],
  ])("%j is refused", async (claims, message) => {
    const jwt = await signAsIs(claims);
    await expect(verifyToken(jwt, [key], NOW)).rejects.toEqual(refusal(message));
  });

  /** As SignJWT would not: with claims that are wrong. */
  function signAsIs(claims: unknown): Promise<string> {
    return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "EdDSA" })
      .sign(key.privateKey);
  }
});

describe("forged tokens are refused", () => {
  test("signed with another key", async () => {
    await expect(verifyToken(await sign({ a: "rw" }, other), [key], NOW)).rejects.toEqual(
      refusal(/signature/),
    );
  });

  test("of algorithm none", async () => {
    const jwt = new UnsecuredJWT({ a: "rw" }).encode();
    await expect(verifyToken(jwt, [key], NOW)).rejects.toEqual(refusal(/Ed25519|malformed/));
  });

  test("HMAC with the public key for a secret", async () => {
    const pem = await exportSPKI(key.publicKey);
    const jwt = await new SignJWT({ a: "rw" })
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(pem));
    await expect(verifyToken(jwt, [key], NOW)).rejects.toEqual(refusal(/Ed25519/));
  });

  test("signed by another kind of key", async () => {
    const { privateKey } = await generateKeyPair("ES256");
    const jwt = await new SignJWT({ a: "rw" }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
    await expect(verifyToken(jwt, [key], NOW)).rejects.toEqual(refusal(/Ed25519/));
  });

  test("changed after signing", async () => {
    const [head, , signature] = (await sign({ id: "acme", a: "ro" })).split(".");
    const body = btoa(JSON.stringify({ id: "acme", a: "rw" })).replaceAll("=", "");
    await expect(verifyToken(`${head}.${body}.${signature}`, [key], NOW)).rejects.toEqual(
      refusal(/signature/),
    );
  });

  test.each(["", "a", "a.b.c", "..", "a.b.c.d.e", "null"])("%j", async (jwt) => {
    await expect(verifyToken(jwt, [key], NOW)).rejects.toEqual(refusal(/malformed|Ed25519/));
  });

  test("any, where there is no key", async () => {
    await expect(verifyToken(await sign({ a: "rw" }), [], NOW)).rejects.toEqual(refusal(/no public key/));
  });
});
