// Owns which WebSockets are let in, as whose, and what all of a tenant's may have together.
// Does not know how a WebSocket is made: whoever has the server does, and what is said on one is socket-session.ts's.
import { scopeOver } from "../auth/caller.ts";
import type { EntryReader, HostedStream } from "../hrana/hosted-stream.ts";
import type { HranaVersion } from "../hrana/socket-message.ts";
import { type SocketLink, SocketSession } from "../hrana/socket-session.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Access } from "./access.ts";
import type { Admission } from "./admission.ts";
import type { InFlight } from "./in-flight.ts";
import type { HeaderGetter, TenantResolver } from "./resolve-tenant.ts";
import { type OnInternalError, shownError } from "./shown-error.ts";
import type { CalledStream, StreamCaller, StreamHost } from "./stream-host.ts";
import { TenantBudget } from "./tenant-budget.ts";

/** Sockets of one tenant. */
export const MAX_TENANT_SOCKETS = 1_024;
/** Streams of one tenant on all of its sockets. */
export const MAX_TENANT_SOCKET_STREAMS = 8_192;
/** Characters of SQL that one tenant's sockets may store. */
export const MAX_TENANT_STORED_CHARACTERS = 16 * 1024 * 1024;

const SUBPROTOCOLS: ReadonlyMap<string, HranaVersion> = new Map([
  ["hrana3", 3],
  ["hrana2", 2],
  ["hrana1", 1],
]);

/** A tenant's root, or the server's, where a header, the host or the token names the tenant. */
const SOCKET_PATH = /^(?:\/t\/[^/?]+)?\/?(?:\?|$)/;

/** What {@link HranaSockets} is made of. */
export interface HranaSocketsParts {
  readonly access: Access;
  readonly admit: Admission;
  readonly resolver: TenantResolver;
  readonly host: StreamHost;
  readonly inFlight: InFlight;
  /** Bytes of one message. */
  readonly maxMessageBytes: number;
  /** Told of each request's tenant. */
  readonly onTenant: (tenant: string) => void;
  readonly onInternalError: OnInternalError;
}

/** A request to become a WebSocket. */
export interface SocketRequest {
  /** As the client sent it, from the path on. */
  readonly url: string;
  /** Reads a header; names are in lower case. */
  readonly header: HeaderGetter;
  readonly remoteAddress: string | undefined;
}

/** A request that may become one. */
export interface AcceptedSocket {
  /** Begins, once the socket is there. */
  start(link: SocketLink): SocketSession;
}

/** Lets sockets in. */
export class HranaSockets {
  /** Bytes of one message; a larger one ends its socket. */
  readonly maxMessageBytes: number;
  readonly #parts: HranaSocketsParts;
  readonly #sockets = new TenantBudget(MAX_TENANT_SOCKETS, "sockets");
  readonly #streams = new TenantBudget(MAX_TENANT_SOCKET_STREAMS, "streams on sockets");
  readonly #stored = new TenantBudget(MAX_TENANT_STORED_CHARACTERS, "characters of stored SQL");

  constructor(parts: HranaSocketsParts) {
    this.#parts = parts;
    this.maxMessageBytes = parts.maxMessageBytes;
  }

  /** Sockets whose clients have said who they are, and the streams on them. */
  get stats(): { readonly sockets: number; readonly streams: number } {
    return { sockets: this.#sockets.total, streams: this.#streams.total };
  }

  /**
   * Looks at a request to become a WebSocket, as far as it can be judged before its client has said hello.
   * @throws {TenantryError} what it is to be answered with instead
   */
  async accept(request: SocketRequest): Promise<AcceptedSocket> {
    const { url, header, remoteAddress } = request;
    const { access, resolver } = this.#parts;
    if (!SOCKET_PATH.test(url)) {
      throw new TenantryError("NOT_FOUND", "There is no WebSocket here.", {
        hint: "Open it at a tenant's root, such as /t/acme/.",
      });
    }
    // On an open server this refuses other sites' pages; with keys it is the hello that says who asks.
    await access.callerOf(header, remoteAddress, () => resolver.resolve(url, header));
    await resolver.resolve(url, header);
    const version = versionOf(header("sec-websocket-protocol"));
    return { start: (link) => this.#start(request, version, link) };
  }

  /** What a client is told of an error that is nobody's but ours; the operator is told of it. */
  internalError(error: unknown, url: string): TenantryError {
    return shownError({ method: "WS", path: url }, error, this.#parts.onInternalError);
  }

  #start(request: SocketRequest, version: HranaVersion, link: SocketLink): SocketSession {
    const socket = new SocketServices(request, this.#parts, this.#sockets, this.#streams, this.#stored);
    return new SocketSession(version, link, {
      hello: (jwt) => socket.hello(jwt),
      openStream: () => socket.openStream(),
      storeSql: (characters) => socket.storeSql(characters),
      closed: () => socket.closed(),
      internalError: (error) => this.internalError(error, request.url),
    });
  }
}

/** What one socket is served by. */
class SocketServices {
  readonly #request: SocketRequest;
  readonly #parts: HranaSocketsParts;
  readonly #sockets: TenantBudget;
  readonly #streams: TenantBudget;
  readonly #stored: TenantBudget;
  #header: HeaderGetter;
  /** Whose socket it is, and counts as. */
  #tenant: TenantId | undefined;

  constructor(
    request: SocketRequest,
    parts: HranaSocketsParts,
    sockets: TenantBudget,
    streams: TenantBudget,
    stored: TenantBudget,
  ) {
    this.#request = request;
    this.#parts = parts;
    this.#sockets = sockets;
    this.#streams = streams;
    this.#stored = stored;
    this.#header = request.header;
  }

  async hello(jwt: string | null): Promise<void> {
    const { url, header, remoteAddress } = this.#request;
    const shown: HeaderGetter =
      jwt === null ? header : (name) => (name === "authorization" ? `Bearer ${jwt}` : header(name));
    const { tenant } = await this.#parts.admit(url, shown, remoteAddress);
    if (this.#tenant === undefined) {
      this.#sockets.take(tenant, 1);
      this.#tenant = tenant;
    } else if (this.#tenant !== tenant) {
      throw new TenantryError("TENANT_MISMATCH", "The socket is another tenant's.", {
        hint: "Open another socket for another tenant.",
      });
    }
    this.#header = shown;
  }

  openStream(): HostedStream {
    const tenant = this.#tenant as TenantId;
    this.#streams.take(tenant, 1);
    return new AdmittedStream(this.#parts.host(), {
      admit: () => this.#admit(),
      inFlight: this.#parts.inFlight,
      onClose: () => this.#streams.take(tenant, -1),
    });
  }

  storeSql(characters: number): void {
    if (this.#tenant !== undefined) this.#stored.take(this.#tenant, characters);
  }

  closed(): void {
    if (this.#tenant !== undefined) this.#sockets.take(this.#tenant, -1);
    this.#tenant = undefined;
  }

  /** Each request anew: keys are revoked, tokens expire, and tenants are deleted while a socket is open. */
  async #admit(): Promise<StreamCaller> {
    const { admit, onTenant } = this.#parts;
    const { url, remoteAddress } = this.#request;
    const { caller, tenant, record } = await admit(url, this.#header, remoteAddress);
    onTenant(tenant);
    return {
      tenant,
      incarnation: record.incarnation,
      scope: scopeOver(caller, tenant) ?? "read",
      timeoutMs: record.statementTimeoutMs,
    };
  }
}

interface AdmittedStreamParts {
  readonly admit: () => Promise<StreamCaller>;
  readonly inFlight: InFlight;
  readonly onClose: () => void;
}

/** A stream each of whose requests is admitted as one over HTTP is. */
class AdmittedStream implements HostedStream {
  readonly #stream: CalledStream;
  readonly #parts: AdmittedStreamParts;
  /** Whose stream it is, since its first request. */
  #incarnation: string | undefined;
  #closed = false;

  constructor(stream: CalledStream, parts: AdmittedStreamParts) {
    this.#stream = stream;
    this.#parts = parts;
  }

  get open(): boolean {
    return this.#stream.open;
  }

  async run(request: object): Promise<string> {
    const text = await this.#admitted((caller) => this.#stream.run(caller, request));
    return typeof text === "string" ? text : new TextDecoder().decode(text);
  }

  cursor(batch: unknown): Promise<EntryReader> {
    return this.#admitted((caller) => this.#stream.cursor(caller, batch));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
    this.#parts.onClose();
  }

  async #admitted<T>(call: (caller: StreamCaller) => Promise<T>): Promise<T> {
    const { admit, inFlight } = this.#parts;
    const caller = await admit();
    const { tenant, incarnation } = caller;
    this.#incarnation ??= incarnation;
    if (this.#incarnation !== incarnation) {
      throw new TenantryError("STREAM_EXPIRED", "The tenant was deleted and made anew.", {
        tenant,
        hint: "Open a new stream.",
      });
    }
    inFlight.enter(tenant, this.open);
    try {
      return await call(caller);
    } finally {
      inFlight.leave(tenant);
    }
  }
}

/** The best of the subprotocols that a client offers; undefined where none is spoken here. */
export function chooseSubprotocol(
  offered: ReadonlySet<string>,
): { readonly subprotocol: string; readonly version: HranaVersion } | undefined {
  for (const [subprotocol, version] of SUBPROTOCOLS) {
    if (offered.has(subprotocol)) return { subprotocol, version };
  }
  return undefined;
}

/** Who offers nothing speaks the first version. @throws {TenantryError} `INVALID_ARGUMENT` */
function versionOf(offered: string | null | undefined): HranaVersion {
  if (offered === undefined || offered === null) return 1;
  const chosen = chooseSubprotocol(new Set(offered.split(",").map((name) => name.trim())));
  if (chosen) return chosen.version;
  throw new TenantryError(
    "INVALID_ARGUMENT",
    `None of the subprotocols ${JSON.stringify(offered.slice(0, 80))} is spoken here.`,
    { hint: `Offer ${[...SUBPROTOCOLS.keys()].join(", ")}.` },
  );
}
