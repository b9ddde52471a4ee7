// Owns who the caller of a request is: by token or key, or anybody while the server has no keys.
// Does not decide what a caller may do: authorize.ts does.
import { type ApiKeyRecord, type Authenticator, createAuthenticator } from "../auth/authenticate.ts";
import { type Caller, LOCAL_CALLER, onlyTenant } from "../auth/caller.ts";
import type { VerificationKey } from "../auth/verification-key.ts";
import { TenantTokens } from "../auth/tenant-tokens.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { isTenantId, type TenantId } from "../tenant-id.ts";
import { isTenantryError } from "../tenantry-error.ts";
import { NEEDS_CREDENTIALS, unauthenticated } from "./authorize.ts";
import { guardBrowser } from "./browser-guard.ts";
import { isLoopbackAddress } from "./loopback.ts";
import type { HeaderGetter } from "./resolve-tenant.ts";

/** What {@link Access} is made with. */
export interface AccessOptions {
  readonly catalog: Catalog;
  /** Keys that tokens may be signed with. With any of them the server is never open. */
  readonly publicKeys: readonly VerificationKey[];
  /** The hash of an API key of scope admin that the operator keeps outside of the catalog; with it, never open. */
  readonly adminKeyHash?: string;
}

const ADMIN_KEY: ApiKeyRecord = { id: "admin", tenant: null, scope: "admin", expiresAt: null };

/**
 * Tells callers apart. A server without keys is open to this machine, and to nobody's web page; the first
 * key closes it, for good.
 */
export class Access {
  readonly #catalog: Catalog;
  readonly #authenticator: Authenticator;
  readonly #tenantTokens: TenantTokens;
  #open: boolean;

  constructor({ catalog, publicKeys, adminKeyHash }: AccessOptions) {
    this.#catalog = catalog;
    this.#open = publicKeys.length === 0 && adminKeyHash === undefined;
    this.#tenantTokens = new TenantTokens({
      peek: (tenant) => (isTenantId(tenant) ? catalog.peek(tenant) : undefined),
      find: async (tenant) => (isTenantId(tenant) ? catalog.get(tenant) : undefined),
    });
    this.#authenticator = createAuthenticator({
      publicKeys,
      keys: {
        peek: (hash) => (hash === adminKeyHash ? ADMIN_KEY : this.#used(catalog.peekKey(hash))),
        find: async (hash) => (hash === adminKeyHash ? ADMIN_KEY : this.#used(await catalog.findKey(hash))),
      },
    });
  }

  /** Whether anybody on this machine is admin: nobody has made a key. */
  async isOpen(): Promise<boolean> {
    if (this.#open && (await this.#catalog.hasKeys())) this.#open = false;
    return this.#open;
  }

  /**
   * Who asks; undefined without credentials. A key that was made before the request was sent counts, whoever
   * made it.
   * @param remoteAddress of the connection, where the runtime tells it: an open server is for this machine only
   * @param named the tenant that the request names, whose own key counts as well. Nobody is told of what it throws.
   * @throws {TenantryError} `UNAUTHENTICATED`; on an open server `CROSS_SITE_REFUSED`, `UNSUPPORTED_MEDIA_TYPE`
   */
  callerOf(
    header: HeaderGetter,
    remoteAddress: string | undefined,
    named?: NamedTenant,
  ): Caller | undefined | Promise<Caller | undefined> {
    if (!this.#open) return this.#authenticate(header, named);
    if (this.#catalog.peekHasKeys() === false) return localCaller(header, remoteAddress);
    return this.isOpen().then((open) =>
      open ? localCaller(header, remoteAddress) : this.#authenticate(header, named),
    );
  }

  /**
   * Who asks, of a tenant that has a key of its own, on a server that is otherwise open.
   * @throws {TenantryError} `UNAUTHENTICATED`
   */
  async callerByKeyOf(tenant: TenantId, header: HeaderGetter): Promise<Caller> {
    const authorization = header("authorization");
    if (authorization === null || authorization === undefined) {
      throw unauthenticated(NEEDS_CREDENTIALS);
    }
    const caller =
      this.#tenantTokens.recall(authorization, tenant) ??
      (await this.#tenantTokens.verify(authorization, tenant));
    if (caller) return caller;
    throw unauthenticated(
      "The token's signature does not fit the tenant's key, or it is not for this tenant.",
    );
  }

  #authenticate(
    header: HeaderGetter,
    named: NamedTenant | undefined,
  ): Caller | undefined | Promise<Caller | undefined> {
    const authorization = header("authorization");
    if (authorization === null || authorization === undefined || named === undefined) {
      return this.#authenticator.authenticate(authorization);
    }
    const known = this.#tenantTokens.recall(authorization);
    if (known && nameOrNothing(named) === onlyTenant(known)) return known;
    // The server's keys come first: they are good for every tenant.
    try {
      const asked = this.#authenticator.authenticate(authorization);
      if (!(asked instanceof Promise)) return asked;
      return asked.catch((error: unknown) => this.#byTenantKey(authorization, named, error));
    } catch (error) {
      return this.#byTenantKey(authorization, named, error);
    }
  }

  /** @throws `refusal`, what the server's own keys say, where the tenant's says nothing */
  async #byTenantKey(authorization: string, named: NamedTenant, refusal: unknown): Promise<Caller> {
    if (!isTenantryError(refusal, "UNAUTHENTICATED")) throw refusal;
    const caller = await this.#tenantTokens.verify(authorization, await nameOrNothing(named));
    if (caller) return caller;
    throw refusal;
  }

  #used<K extends { readonly id: string }>(key: K | undefined): K | undefined {
    if (key) this.#catalog.touchKey(key.id);
    return key;
  }
}

/** Says which tenant a request names, without looking at who asks. */
export type NamedTenant = () => TenantId | undefined | Promise<TenantId | undefined>;

/** A stranger must not learn from an error which hosts stand for which tenants. */
function nameOrNothing(named: NamedTenant): TenantId | undefined | Promise<TenantId | undefined> {
  try {
    const tenant = named();
    return tenant instanceof Promise ? tenant.catch(() => undefined) : tenant;
  } catch (error) {
    if (isTenantryError(error)) return undefined;
    throw error;
  }
}

function localCaller(header: HeaderGetter, remoteAddress: string | undefined): Caller {
  // The Host header is the sender's to choose; where the connection comes from is not.
  if (remoteAddress !== undefined && !isLoopbackAddress(remoteAddress)) {
    throw unauthenticated("A server without keys answers this machine only.");
  }
  guardBrowser(header);
  return LOCAL_CALLER;
}
