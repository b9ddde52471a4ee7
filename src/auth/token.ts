// Owns what a token says: Ed25519 JWTs with the claims of libSQL's server, read and written.
// Keeps nothing: authenticate.ts remembers what was verified.
import { errors, jwtVerify, SignJWT, type JWTPayload } from "jose";
import { TenantryError } from "../tenantry-error.ts";
import { includesScope, parseScope, type Caller, type Scope } from "./caller.ts";
import type { SigningKey } from "./signing-key.ts";
import type { VerificationKey } from "./verification-key.ts";

/** What a token is to say. */
export interface IssueTokenOptions {
  /** The tenant it is for. @default all tenants */
  readonly tenant?: string;
  /** Only this incarnation of the tenant, so that the token ends with it. @default any */
  readonly incarnation?: string;
  readonly scope: Scope;
  /** Seconds until it ends, at least 1; null for never. */
  readonly expiresInSeconds: number | null;
  readonly key: SigningKey;
  /** Whom the audit log names. @default none */
  readonly subject?: string;
  /** Milliseconds since 1970. @default Date.now */
  readonly clock?: () => number;
}

/** sqld's letters for a right, and the scope that each stands for here. */
const GRANTS: ReadonlyMap<string, Scope> = new Map([
  ["ro", "read"],
  ["roa", "read"],
  ["rw", "write"],
  ["rwa", "write"],
  ["ddl", "schema"],
]);

/**
 * A signed token that libSQL's server reads in the same sense, as far as it has words for it: `id` and `a` for
 * `read` and `write` on a tenant, `p.rw` and `p.ddl` for `schema`, `a` alone for all tenants. What it has no
 * word for, `schema` and `admin` over all tenants, is in the claim `tenantry`.
 *
 * @throws {TenantryError} `INVALID_ARGUMENT` for a time that is none, or `admin` over a single tenant.
 */
export async function issueToken(options: IssueTokenOptions): Promise<string> {
  const { tenant, incarnation, scope, expiresInSeconds, key, subject, clock = Date.now } = options;
  if (expiresInSeconds !== null && !(Number.isSafeInteger(expiresInSeconds) && expiresInSeconds >= 1)) {
    throw new TenantryError("INVALID_ARGUMENT", `A token cannot end in ${expiresInSeconds} seconds.`, {
      hint: "Give a whole number of seconds from 1, or null for a token that does not end.",
    });
  }
  const issuedAt = Math.floor(clock() / 1000);
  const token = new SignJWT({
    ...claimsOf(tenant, scope),
    ...(incarnation !== undefined && { inc: incarnation }),
  })
    .setProtectedHeader({ alg: "EdDSA", typ: "JWT", kid: key.id })
    .setIssuedAt(issuedAt);
  if (expiresInSeconds !== null) token.setExpirationTime(issuedAt + expiresInSeconds);
  if (subject !== undefined) token.setSubject(subject);
  return token.sign(key.privateKey);
}

/**
 * Checks a token's signature and times, and reads its grants.
 *
 * Unlike sqld, a token that names neither a tenant nor a right grants nothing.
 *
 * @param nowMs Milliseconds since 1970.
 * @throws {TenantryError} `UNAUTHENTICATED`, which says what is wrong and never repeats the token.
 */
export async function verifyToken(
  jwt: string,
  keys: readonly VerificationKey[],
  nowMs = Date.now(),
): Promise<Caller> {
  if (keys.length === 0) throw refused("This server accepts no tokens: it has no public key.");
  for (const key of keys) {
    const caller = await readToken(jwt, key, nowMs);
    if (caller) return caller;
  }
  throw refused("The token's signature does not fit any of this server's public keys.");
}

/**
 * Who the token says that its bearer is; `undefined` where another key has signed it.
 *
 * @param nowMs Milliseconds since 1970.
 * @throws {TenantryError} `UNAUTHENTICATED`
 */
export async function readToken(
  jwt: string,
  { publicKey }: VerificationKey,
  nowMs = Date.now(),
): Promise<Caller | undefined> {
  try {
    const { payload } = await jwtVerify(jwt, publicKey, {
      algorithms: ["EdDSA", "Ed25519"],
      currentDate: new Date(nowMs),
    });
    return callerOf(payload);
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return undefined;
    throw explain(error);
  }
}

function claimsOf(tenant: string | undefined, scope: Scope): JWTPayload {
  if (tenant === undefined) {
    return { a: scope === "read" ? "ro" : "rw", ...(includesScope(scope, "schema") && { tenantry: scope }) };
  }
  switch (scope) {
    case "read":
      return { id: tenant, a: "ro" };
    case "write":
      return { id: tenant, a: "rw" };
    case "schema":
      return { p: { rw: { ns: [tenant] }, ddl: { ns: [tenant] } } };
    case "admin":
      throw new TenantryError("INVALID_ARGUMENT", "The scope admin is over all tenants, not over one.", {
        hint: "Leave the tenant out, or use the scope schema.",
      });
  }
}

function callerOf(payload: JWTPayload): Caller {
  const tenants = new Map<string, Scope>();
  const { id, a, p, inc, tenantry } = payload as Record<string, unknown>;
  let everywhere: Scope | null = null;

  if (tenantry !== undefined) {
    if (id !== undefined || p !== undefined) throw refused("The token's claims contradict each other.");
    everywhere = parseTokenScope(tenantry);
  } else if (p !== undefined) {
    readGrants(p, tenants);
  } else if (id !== undefined || a !== undefined) {
    const scope = a === undefined ? "write" : GRANTS.get(String(a));
    if (scope === undefined) throw refused('The token\'s claim "a" is not ro, roa, rw or rwa.');
    if (id === undefined) everywhere = scope;
    else if (typeof id === "string") tenants.set(id, scope);
    else throw refused('The token\'s claim "id" is not the name of a tenant.');
  }
  if (everywhere === null && tenants.size === 0) {
    throw refused("The token grants nothing: it names neither a tenant nor a right.");
  }
  return {
    subject: payload.sub ?? payload.jti ?? "token",
    everywhere,
    tenants,
    incarnation: typeof inc === "string" ? inc : null,
    expiresAt: payload.exp === undefined ? null : payload.exp * 1000,
  };
}

/** Reads `p`: `{ ro: { ns: ["acme"] }, … }`. Tags grant nothing: there are none here. */
function readGrants(p: unknown, tenants: Map<string, Scope>): void {
  for (const [right, scope] of GRANTS) {
    const names = (p as Record<string, { ns?: unknown } | null> | null)?.[right]?.ns;
    if (names === undefined || names === null) continue;
    if (!Array.isArray(names)) throw refused(`The token's claim "p.${right}.ns" is not a list.`);
    for (const name of names as unknown[]) {
      const present = tenants.get(String(name));
      if (present === undefined || includesScope(scope, present)) tenants.set(String(name), scope);
    }
  }
}

function parseTokenScope(claim: unknown): Scope {
  try {
    return parseScope(claim);
  } catch (cause) {
    throw refused('The token\'s claim "tenantry" is not a scope.', cause);
  }
}

function explain(error: unknown): unknown {
  if (error instanceof TenantryError || !(error instanceof errors.JOSEError)) return error;
  if (error instanceof errors.JWTExpired) return refused("The token has expired.", error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    const early = error.claim === "nbf" || error.claim === "iat";
    return refused(
      early ? "The token is not yet valid." : `The token's claim "${error.claim}" is invalid.`,
      error,
    );
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return refused("The token is not signed with Ed25519.", error);
  }
  return refused("The token is malformed.", error);
}

function refused(message: string, cause?: unknown): TenantryError {
  return new TenantryError("UNAUTHENTICATED", message, {
    hint: 'Make a token with "tenantry token create", and send it as "Authorization: Bearer …".',
    cause,
  });
}
