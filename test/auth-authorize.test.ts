// Who may do what, and that a forbidden tenant looks like one that is not there.
import { expect, describe, test } from "vitest";
import { LOCAL_CALLER, SCOPES, type Caller, type Scope } from "../src/auth/caller.ts";
import { authorize, type Action } from "../src/http/authorize.ts";
import { isTenantryError } from "../src/tenantry-error.ts";

const caller = (grants: Partial<Caller>): Caller => ({ ...LOCAL_CALLER, everywhere: null, ...grants });
const onAcme = (scope: Scope) => caller({ tenants: new Map([["acme", scope]]) });

function outcome(who: Caller | undefined, action: Action, nowMs?: number): string {
  try {
    authorize(who, action, nowMs);
    return "passes";
  } catch (error) {
    if (isTenantryError(error)) return error.code;
    throw error;
  }
}

describe("on the caller's tenant", () => {
  test.each<[Scope, string[]]>([
    ["read", ["passes", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"]],
    ["write", ["passes", "passes", "FORBIDDEN", "FORBIDDEN"]],
    ["schema", ["passes", "passes", "passes", "FORBIDDEN"]],
  ])("%s", (scope, expected) => {
    expect(SCOPES.map((wanted) => outcome(onAcme(scope), { scope: wanted, tenant: "acme" }))).toEqual(
      expected,
    );
  });
});

describe("on all tenants", () => {
  test.each(SCOPES)("%s", (scope) => {
    const who = caller({ everywhere: scope });
    const includes = (wanted: Scope) =>
      SCOPES.indexOf(wanted) <= SCOPES.indexOf(scope) ? "passes" : "FORBIDDEN";
    for (const wanted of SCOPES) {
      expect(outcome(who, { scope: wanted, tenant: "acme" })).toBe(includes(wanted));
      expect(outcome(who, { scope: wanted })).toBe(includes(wanted));
    }
  });

  test("a single tenant can have more", () => {
    const who = caller({ everywhere: "read", tenants: new Map([["acme", "write"]]) });
    expect(outcome(who, { scope: "write", tenant: "acme" })).toBe("passes");
    expect(outcome(who, { scope: "write", tenant: "globex" })).toBe("FORBIDDEN");
  });

  test("a right over one tenant is none over all", () => {
    expect(outcome(onAcme("schema"), { scope: "read" })).toBe("FORBIDDEN");
    expect(outcome(onAcme("schema"), { scope: "admin" })).toBe("FORBIDDEN");
  });
});

test("a tenant of others looks like one that is not there", () => {
  const seen = ["globex", "nobody"].map((tenant) => {
    try {
      authorize(onAcme("schema"), { scope: "read", tenant });
      return undefined;
    } catch (error) {
      const { code, message, hint } = error as { code: string; message: string; hint: string };
      return JSON.stringify({ code, message, hint }).replaceAll(tenant, "…");
    }
  });
  expect(seen[0]).toContain("TENANT_NOT_FOUND");
  expect(seen[0]).toBe(seen[1]);
});

test("credentials of another incarnation are for nobody", () => {
  const who = caller({ tenants: new Map([["acme", "write"]]), incarnation: "one" });
  expect(outcome(who, { scope: "read", tenant: "acme", incarnation: "one" })).toBe("passes");
  expect(outcome(who, { scope: "read", tenant: "acme", incarnation: "two" })).toBe("TENANT_NOT_FOUND");
  expect(outcome(onAcme("read"), { scope: "read", tenant: "acme", incarnation: "two" })).toBe("passes");
});

test("nobody, and somebody whose credentials have ended, are asked for some", () => {
  expect(outcome(undefined, { scope: "read", tenant: "acme" })).toBe("UNAUTHENTICATED");
  expect(outcome(undefined, { scope: "admin" })).toBe("UNAUTHENTICATED");
  const who = { ...onAcme("read"), expiresAt: 1_000 };
  expect(outcome(who, { scope: "read", tenant: "acme" }, 999)).toBe("passes");
  expect(outcome(who, { scope: "read", tenant: "acme" }, 1_000)).toBe("UNAUTHENTICATED");
});
