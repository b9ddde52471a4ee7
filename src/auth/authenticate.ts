// Owns the way from an Authorization header to a caller, and what is remembered of it.
// Decides nothing about tenants: http/authorize.ts asks the caller's scopes.
import { TenantryError } from "../tenantry-error.ts";
import { hashApiKey, looksLikeApiKey } from "./api-key.ts";
import { parseScope, type Caller } from "./caller.ts";
import type { VerificationKey } from "./verification-key.ts";
import { verifyToken } from "./token.ts";
import { RecentMap } from "../recent-map.ts";

/** How many tokens and keys an authenticator remembers. */
export const DEFAULT_CREDENTIAL_CACHE_MAX = 2_000;
/** The longest Authorization header that is looked at, in characters. */
export const MAX_AUTHORIZATION_LENGTH = 8_192;

/** What is asked of a recorded key; the catalog's records are such. Times are milliseconds since 1970. */
export interface ApiKeyRecord {
  readonly id: string;
  /** Null for all tenants. */
  readonly tenant: string | null;
  readonly scope: string;
  readonly expiresAt: number | null;
}

/** Where keys are recorded. It must not find one that is revoked; nothing here outlives its answer. */
export interface KeyLookup {
  /** From memory, at once; `undefined` when that is not possible. */
  peek?(hash: string): ApiKeyRecord | undefined;
  find(hash: string): Promise<ApiKeyRecord | undefined>;
}

export interface AuthenticatorOptions {
  /** The keys that tokens may be signed with. @default none: tokens are refused */
  readonly publicKeys?: readonly VerificationKey[];
  /** Where API keys are recorded. @default none: keys are refused */
  readonly keys?: KeyLookup;
  /** How many tokens, and how many keys, to remember; at least 1. @default 2_000 */
  readonly cacheMax?: number;
  /** Milliseconds since 1970. @default Date.now */
  readonly clock?: () => number;
}

/** Turns credentials into callers. */
export interface Authenticator {
  /**
   * Who sends this Authorization header: at once when it is remembered, `undefined` when there is none.
   * `Bearer` with a token or a key, or `Basic` with it as the password; never anything in a URL.
   *
   * @throws {TenantryError} `UNAUTHENTICATED`, as a rejection or at once.
   */
  authenticate(authorization: string | null | undefined): Caller | undefined | Promise<Caller>;
  /** Forgets every verified token and hashed key: for a change of public keys. */
  forget(): void;
}

/**
 * An authenticator with a bounded memory: of tokens until they expire, of keys only their hashes, so that a
 * revoked key is refused as soon as the lookup no longer finds it.
 *
 * @throws {TenantryError} `INVALID_OPTION`.
 */
export function createAuthenticator(options: AuthenticatorOptions = {}): Authenticator {
  const { publicKeys = [], keys, cacheMax = DEFAULT_CREDENTIAL_CACHE_MAX, clock = Date.now } = options;
  if (!Number.isInteger(cacheMax) || cacheMax < 1) {
    throw new TenantryError("INVALID_OPTION", `cacheMax is a whole number of at least 1, not ${cacheMax}.`, {
      hint: "Leave cacheMax out for its default.",
    });
  }
  const tokens = new RecentMap<string, Caller>({ maxEntries: cacheMax });
  const hashes = new RecentMap<string, string>({ maxEntries: cacheMax });
  const callers = new WeakMap<ApiKeyRecord, Caller>();

  function callerOf(record: ApiKeyRecord): Caller {
    let caller = callers.get(record);
    if (caller === undefined) callers.set(record, (caller = callerOfKey(record)));
    return current(caller);
  }

  function current(caller: Caller): Caller {
    if (caller.expiresAt === null || caller.expiresAt > clock()) return caller;
    throw refused("The credentials have expired.");
  }

  async function findKey(authorization: string, secret: string): Promise<Caller> {
    const hash = await hashApiKey(secret);
    const record = await keys?.find(hash);
    if (record === undefined) throw refused("The API key is not known here, or was revoked.");
    hashes.set(authorization, hash);
    return callerOf(record);
  }

  async function check(authorization: string): Promise<Caller> {
    const credential = readCredential(authorization);
    if (looksLikeApiKey(credential)) return findKey(authorization, credential);
    const caller = await verifyToken(credential, publicKeys, clock());
    tokens.set(authorization, caller);
    return caller;
  }

  return {
    authenticate(authorization) {
      if (authorization === null || authorization === undefined) return undefined;
      const verified = tokens.get(authorization);
      if (verified !== undefined) return current(verified);
      const hash = hashes.get(authorization);
      const record = hash === undefined ? undefined : keys?.peek?.(hash);
      return record === undefined ? check(authorization) : callerOf(record);
    },
    forget() {
      tokens.clear();
      hashes.clear();
    },
  };
}

/** A key of one tenant is never more than `schema` there, whatever is recorded. */
function callerOfKey({ id, tenant, scope, expiresAt }: ApiKeyRecord): Caller {
  const granted = parseScope(scope);
  return {
    subject: `key ${id}`,
    everywhere: tenant === null ? granted : null,
    tenants: tenant === null ? new Map() : new Map([[tenant, granted === "admin" ? "schema" : granted]]),
    incarnation: null,
    expiresAt,
  };
}

/** The token or key of an Authorization header. @throws {TenantryError} `UNAUTHENTICATED` */
export function readCredential(authorization: string): string {
  if (authorization.length <= MAX_AUTHORIZATION_LENGTH) {
    const [, scheme = "", value = ""] = /^([a-z]+) +([^\s,]+) *$/i.exec(authorization) ?? [];
    if (scheme.toLowerCase() === "bearer") return value;
    if (scheme.toLowerCase() === "basic") {
      const password = passwordOf(value);
      if (password !== undefined) return password;
    }
  }
  throw refused("The Authorization header is neither Bearer nor Basic with a token or a key.");
}

/** What follows the colon of `user:password` in base64. */
function passwordOf(base64: string): string | undefined {
  try {
    const pair = atob(base64);
    const colon = pair.indexOf(":");
    return colon < 0 ? undefined : pair.slice(colon + 1);
  } catch {
    // Not base64: the caller of this function says what the header should be.
    return undefined;
  }
}

function refused(message: string): TenantryError {
  return new TenantryError("UNAUTHENTICATED", message, {
    hint: 'Make a token or a key with "tenantry token create", and send it as "Authorization: Bearer …".',
  });
}
