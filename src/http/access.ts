// Owns who the caller of a request is: by token or key, or anybody while the server has no keys.
// Does not decide what a caller may do: authorize.ts does.
import { type Authenticator, createAuthenticator } from "../auth/authenticate.ts";
import { type Caller, LOCAL_CALLER } from "../auth/caller.ts";
import type { VerificationKey } from "../auth/signing-key.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { unauthenticated } from "./authorize.ts";
import { guardBrowser } from "./browser-guard.ts";
import { isLoopbackAddress } from "./loopback.ts";
import type { HeaderGetter } from "./resolve-tenant.ts";

/** What {@link Access} is made with. */
export interface AccessOptions {
  readonly catalog: Catalog;
  /** Keys that tokens may be signed with. With any of them the server is never open. */
  readonly publicKeys: readonly VerificationKey[];
}

/**
 * Tells callers apart. A server without keys is open to this machine, and to nobody's web page; the first
 * key closes it, for good.
 */
export class Access {
  readonly #catalog: Catalog;
  readonly #authenticator: Authenticator;
  #open: boolean;

  constructor({ catalog, publicKeys }: AccessOptions) {
    this.#catalog = catalog;
    this.#open = publicKeys.length === 0;
    this.#authenticator = createAuthenticator({
      publicKeys,
      keys: {
        peek: (hash) => this.#used(catalog.peekKey(hash)),
        find: async (hash) => this.#used(await catalog.findKey(hash)),
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
   * @throws {TenantryError} `UNAUTHENTICATED`; on an open server `CROSS_SITE_REFUSED`, `UNSUPPORTED_MEDIA_TYPE`
   */
  callerOf(
    header: HeaderGetter,
    remoteAddress: string | undefined,
  ): Caller | undefined | Promise<Caller | undefined> {
    if (!this.#open) return this.#authenticator.authenticate(header("authorization"));
    if (this.#catalog.peekHasKeys() === false) return localCaller(header, remoteAddress);
    return this.isOpen().then((open) =>
      open ? localCaller(header, remoteAddress) : this.#authenticator.authenticate(header("authorization")),
    );
  }

  #used<K extends { readonly id: string }>(key: K | undefined): K | undefined {
    if (key) this.#catalog.touchKey(key.id);
    return key;
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
