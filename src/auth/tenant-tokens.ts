// Owns tokens that are signed with a tenant's own key: whose key is asked, and what such a token is good for.
// Does not know which tenant a request names, nor where the keys are kept.
import { decodeJwt } from "jose";
import { DEFAULT_CREDENTIAL_CACHE_MAX, readCredential } from "./authenticate.ts";
import { looksLikeApiKey } from "./api-key.ts";
import { type Caller, scopeOver } from "./caller.ts";
import { importVerificationKeys } from "./verification-key.ts";
import { readToken } from "./token.ts";
import { RecentMap } from "../recent-map.ts";

/** A tenant with its own key, as far as tokens are concerned; the catalog's records are such. */
export interface KeyedTenant {
  readonly id: string;
  readonly jwtKey: string | null;
}

/** Where tenants' keys are kept. */
export interface TenantKeys {
  /** From memory, at once; `undefined` when that is not possible. */
  peek(tenant: string): KeyedTenant | undefined;
  find(tenant: string): Promise<KeyedTenant | undefined>;
}

interface Verified {
  readonly tenant: string;
  /** The key that it was verified with: another one, and it is not verified any more. */
  readonly jwtKey: string;
  readonly caller: Caller;
}

/** Checks tokens with tenants' keys. A key is good for its tenant alone, whatever its tokens say. */
export class TenantTokens {
  readonly #keys: TenantKeys;
  readonly #clock: () => number;
  readonly #verified = new RecentMap<string, Verified>({ maxEntries: DEFAULT_CREDENTIAL_CACHE_MAX });

  constructor(keys: TenantKeys, clock: () => number = Date.now) {
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Who sends this header, if it was verified before and still holds; only for `tenant` where that is given. */
  recall(authorization: string, tenant?: string): Caller | undefined {
    if (this.#verified.size === 0) return undefined;
    const known = this.#verified.get(authorization);
    if (known === undefined || (tenant !== undefined && tenant !== known.tenant)) return undefined;
    const { expiresAt } = known.caller;
    if (expiresAt !== null && expiresAt <= this.#clock()) return undefined;
    return this.#keys.peek(known.tenant)?.jwtKey === known.jwtKey ? known.caller : undefined;
  }

  /**
   * Who sends this header, by the key of `tenant` or, where that is not given, of the one tenant that the token
   * names. `undefined` where there is no such key, it did not sign the token, or the token is not for its tenant.
   * @throws {TenantryError} `UNAUTHENTICATED` for a token of that key which has expired or makes no sense
   */
  async verify(authorization: string, tenant?: string): Promise<Caller | undefined> {
    const credential = readCredential(authorization);
    if (looksLikeApiKey(credential)) return undefined;
    const whose = tenant ?? onlyTenantOf(credential);
    const jwtKey = whose === undefined ? undefined : (await this.#keys.find(whose))?.jwtKey;
    if (whose === undefined || jwtKey === undefined || jwtKey === null) return undefined;
    const [key] = await importVerificationKeys(jwtKey);
    const said = key && (await readToken(credential, key, this.#clock()));
    const scope = said && scopeOver(said, whose);
    if (!scope) return undefined;
    const caller: Caller = {
      ...said,
      everywhere: null,
      tenants: new Map([[whose, scope === "admin" ? "schema" : scope]]),
    };
    this.#verified.set(authorization, { tenant: whose, jwtKey, caller });
    return caller;
  }
}

/** The one tenant that the token, which nobody has checked yet, says it is for. */
function onlyTenantOf(jwt: string): string | undefined {
  try {
    const { id, p } = decodeJwt<{ id?: unknown; p?: Record<string, { ns?: unknown } | null> | null }>(jwt);
    const names = p === undefined ? [id] : Object.values(p ?? {}).flatMap((right) => right?.ns ?? []);
    const [first, ...others] = new Set(names);
    return typeof first === "string" && others.length === 0 ? first : undefined;
  } catch {
    // No token at all: whoever checks it says so.
    return undefined;
  }
}
