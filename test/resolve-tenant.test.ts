// Which tenant a request names: by path, header, host and credentials.
import * as fc from "fast-check";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { LOCAL_CALLER, type Caller } from "../src/auth/caller.ts";
import {
  createTenantResolver,
  resolveTenant,
  type ResolveTenantOptions,
} from "../src/http/resolve-tenant.ts";
import { isTenantId, parseTenantId } from "../src/tenant-id.ts";
import { isTenantryError } from "../src/tenantry-error.ts";

const HOSTS: ResolveTenantOptions = {
  baseDomains: ["example.com", "localhost"],
  exceptHosts: ["www.example.com"],
  lookupAlias: (host) => (host === "shop.test" ? parseTenantId("acme") : undefined),
};

type Headers = Record<string, string>;

async function resolve(
  url: string,
  headers: Headers = {},
  options: ResolveTenantOptions = {},
  caller?: Caller,
) {
  try {
    return await createTenantResolver(options).resolve(url, (name) => headers[name], caller);
  } catch (error) {
    if (isTenantryError(error)) return error.code;
    throw error;
  }
}

describe("by path", () => {
  test.each([
    ["/t/acme", "acme"],
    ["/t/acme/", "acme"],
    ["/t/acme/rest/a%20b", "acme"],
    ["/t/acme?x=/t/globex", "acme"],
    ["/t/acme#x", "acme"],
    ["http://127.0.0.1:8787/t/acme/query", "acme"],
    ["http://t/acme", undefined],
    ["http://h", undefined],
    ["/", undefined],
    ["/t", undefined],
    ["/T/acme", undefined],
    ["/tt/acme", undefined],
    ["/x/t/acme", undefined],
    ["/admin/tenants/%61", undefined],
    ["/?/t/acme", undefined],
    ["/?%74/acme", undefined],
    ["/t/", "INVALID_TENANT_ID"],
    ["/t//acme", "INVALID_TENANT_ID"],
    ["/t/Acme/", "INVALID_TENANT_ID"],
    ["/t/%61cme/", "INVALID_TENANT_ID"],
    ["/t/acme%2f..%2fglobex/", "INVALID_TENANT_ID"],
    ["/t/../admin", "INVALID_TENANT_ID"],
    ["/t/v2/pipeline", "INVALID_TENANT_ID"],
    ["/%74/acme/query", "INVALID_TENANT_ID"],
    ["/t%2facme/query", "INVALID_TENANT_ID"],
    ["/t/acme;x", "INVALID_TENANT_ID"],
  ])("%s is %s", async (url, expected) => {
    expect(await resolve(url)).toBe(expected);
  });

  test("with another prefix", async () => {
    const options = { pathPrefix: "/api/db/" };
    expect(await resolve("http://h/api/db/acme/x", {}, options)).toBe("acme");
    expect(await resolve("/t/acme", {}, options)).toBeUndefined();
    expect(await resolve("/api/%64b/acme", {}, options)).toBe("INVALID_TENANT_ID");
    expect(() => createTenantResolver({ pathPrefix: "t" })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION" }),
    );
  });

  test("the hint for a client that dropped the tenant names the slash", () => {
    expect(() => createTenantResolver().resolve("/t/v2/pipeline", () => undefined)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("slash") }),
    );
  });
});

describe("by header", () => {
  test.each<[Headers, string | undefined]>([
    [{ "x-tenant-id": "acme" }, "acme"],
    [{ "x-namespace": "acme" }, "acme"],
    [{ "x-namespace": "acme", "x-tenant-id": "acme" }, "acme"],
    [{ "x-namespace": "acme", "x-tenant-id": "globex" }, "TENANT_MISMATCH"],
    [{ "x-tenant-id": "acme, globex" }, "INVALID_TENANT_ID"],
    [{ "x-tenant-id": "" }, "INVALID_TENANT_ID"],
    [{ "x-tenant-id": "../acme" }, "INVALID_TENANT_ID"],
    [{ host: "acme.example.com" }, undefined],
  ])("%j is %s", async (headers, expected) => {
    expect(await resolve("/rest/customers", headers)).toBe(expected);
  });
});

describe("by host", () => {
  test.each([
    ["acme.example.com", "acme"],
    ["ACME.Example.COM:8787", "acme"],
    ["acme.example.com.", "acme"],
    ["acme.localhost:8787", "acme"],
    ["shop.test", "acme"],
    ["SHOP.test:443", "acme"],
    ["www.example.com", undefined],
    ["example.com", undefined],
    ["evilexample.com", undefined],
    ["acme.example.com.evil.test", undefined],
    ["a.b.example.com", undefined],
    ["127.0.0.1:8787", undefined],
    ["[::1]:8787", undefined],
    ["", undefined],
    ["acme.example.com:x", undefined],
    ["a_b.example.com", "INVALID_TENANT_ID"],
    ["-a.example.com", "INVALID_TENANT_ID"],
    ["v2.example.com", "INVALID_TENANT_ID"],
  ])("%j is %s", async (host, expected) => {
    expect(await resolve("/", { host }, HOSTS)).toBe(expected);
  });

  test("an alias may be looked up asynchronously", async () => {
    const lookupAlias = async (host: string) => (host === "shop.test" ? parseTenantId("acme") : undefined);
    expect(await resolve("/", { host: "shop.test" }, { lookupAlias })).toBe("acme");
    expect(await resolve("/t/globex", { host: "shop.test" }, { lookupAlias })).toBe("TENANT_MISMATCH");
    expect(await resolve("/t/globex", { host: "other.test" }, { lookupAlias })).toBe("globex");
  });

  test("this machine's names are never looked up", async () => {
    const lookupAlias = () => {
      throw new Error("looked up");
    };
    expect(await resolve("/t/acme", { host: "localhost:8787" }, { lookupAlias })).toBe("acme");
  });

  test.each(["https://example.com", ".example.com", "example.com:80", "", "*.example.com"])(
    "%j is no base domain",
    (domain) => {
      expect(() => createTenantResolver({ baseDomains: [domain] })).toThrow(
        expect.objectContaining({ code: "INVALID_OPTION" }),
      );
    },
  );
});

describe("two ways", () => {
  test.each<[string, Headers, string]>([
    ["/t/acme", { "x-tenant-id": "acme", host: "acme.example.com" }, "acme"],
    ["/t/acme", { "x-tenant-id": "globex" }, "TENANT_MISMATCH"],
    ["/t/acme", { "x-namespace": "globex" }, "TENANT_MISMATCH"],
    ["/t/acme", { host: "globex.example.com" }, "TENANT_MISMATCH"],
    ["/", { "x-tenant-id": "acme", host: "globex.example.com" }, "TENANT_MISMATCH"],
    ["/t/globex", { host: "shop.test" }, "TENANT_MISMATCH"],
    ["/t/acme", { "x-tenant-id": "Acme" }, "INVALID_TENANT_ID"],
  ])("%s with %j is %s", async (url, headers, expected) => {
    expect(await resolve(url, headers, HOSTS)).toBe(expected);
  });
});

describe("by credentials", () => {
  const only = (...tenants: string[]): Caller => ({
    ...LOCAL_CALLER,
    everywhere: null,
    tenants: new Map(tenants.map((tenant) => [tenant, "read"])),
  });

  test("for one tenant", async () => {
    expect(await resolve("/query", {}, {}, only("acme"))).toBe("acme");
  });

  test("for none, several or all tenants they name none", async () => {
    for (const caller of [only(), only("acme", "globex"), LOCAL_CALLER, only("No Tenant")]) {
      expect(await resolve("/query", {}, {}, caller)).toBeUndefined();
    }
  });

  test("never overrule another way: whether they reach it is for authorize", async () => {
    expect(await resolve("/t/globex", {}, {}, only("acme"))).toBe("globex");
  });
});

test("whatever is sent, the answer is a tenant's id, none, or a refusal", async () => {
  const piece = fc.constantFrom(
    "/",
    "t",
    "acme",
    "%61",
    "..",
    "?",
    "#",
    "%",
    "\\",
    ".",
    "http://",
    "v2",
    "é",
    "%74",
  );
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
  await fc.assert(
    fc.asyncProperty(text, text, text, async (url, header, host) => {
      const found = await resolve(url, { "x-tenant-id": header, host: `${host}.example.com` }, HOSTS);
      const refused = found === "INVALID_TENANT_ID" || found === "TENANT_MISMATCH";
      expect(found === undefined || refused || isTenantId(found)).toBe(true);
    }),
  );
});

test("behind Hono, what a router decodes reaches no tenant's route", async () => {
  const resolver = createTenantResolver();
  const app = new Hono()
    .onError((error, c) => c.text(isTenantryError(error) ? error.code : String(error), 400))
    .all("/t/:tenant/*", async (c) => c.text(String(await resolveTenant(resolver, c))));
  for (const [path, expected] of [
    ["/t/acme/x", "acme"],
    ["/t/%61cme/x", "INVALID_TENANT_ID"],
    ["/%74/acme/x", "INVALID_TENANT_ID"],
    ["/t/acme%2Fglobex/x", "INVALID_TENANT_ID"],
    ["/t/acme%00/x", "INVALID_TENANT_ID"],
  ]) {
    const answer = await app.request(`http://h${path}`, { headers: { "x-tenant-id": "acme" } });
    expect(await answer.text(), path).toBe(expected);
  }
});
