// Owns streams as they run in this process, for whoever holds them open by other means than batons: a socket.
// Finds no tenants and no callers: they come with each request, resolved and authorised.
import type { Scope } from "../auth/caller.ts";
import type { EntryReader } from "../hrana/hosted-stream.ts";
import { Stream } from "../hrana/stream.ts";
import type { StreamAccess } from "../hrana/stream-statements.ts";
import type { PinnedSession } from "../hrana/stream-connection.ts";
import { bodyOf, type JsonText } from "../hrana/json-text.ts";
import { parseBatch, parseStreamRequest } from "../hrana/stream-request.ts";
import type { Guard } from "../sql/guard.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { byScope } from "./authorize.ts";
import type { RequestLimits } from "./env.ts";

/** Who asks, of which tenant. */
export interface StreamCaller {
  readonly tenant: string;
  readonly incarnation: string;
  /** What the caller may do to the tenant. */
  readonly scope: Scope;
  /** Milliseconds that the tenant's requests may take; null for the server's own limit. */
  readonly timeoutMs: number | null;
}

/** A stream that is told with each request who asks. */
export interface CalledStream {
  readonly open: boolean;
  /** Large answers are bytes. */
  run(caller: StreamCaller, request: unknown): Promise<string | Uint8Array>;
  cursor(caller: StreamCaller, batch: unknown): Promise<EntryReader>;
  close(): void;
}

/** Makes streams. */
export type StreamHost = () => CalledStream;

/** What {@link streamHost} is made with. */
export interface StreamHostOptions {
  readonly tenants: Tenants;
  readonly guard: Guard;
  readonly limits: RequestLimits;
  /** Parameters of one statement. */
  readonly maxParameters: number;
}

/** Makes streams that run here. */
export function streamHost(options: StreamHostOptions): StreamHost {
  return () => new LocalStream(options);
}

class LocalStream implements CalledStream {
  readonly #options: StreamHostOptions;
  readonly #stream = new Stream();
  #tenant: TenantId | undefined;
  #fixed: Pick<StreamAccess, "runner" | "openSession"> | undefined;

  constructor(options: StreamHostOptions) {
    this.#options = options;
  }

  get open(): boolean {
    return this.#stream.open;
  }

  async run(caller: StreamCaller, request: unknown): Promise<string | Uint8Array> {
    return this.#orEnd(async () => {
      const [result] = await this.#stream.pipeline([parseStreamRequest(request)], this.#access(caller));
      return bodyOf(result as JsonText);
    });
  }

  async cursor(caller: StreamCaller, batch: unknown): Promise<EntryReader> {
    return this.#orEnd(async () => {
      const cursor = this.#stream.cursor(parseBatch(batch), this.#access(caller));
      return {
        next: () => this.#orEnd(() => cursor.next()),
        close: () => void cursor.close(),
      };
    });
  }

  close(): void {
    void this.#stream.close();
  }

  async #orEnd<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      await this.#stream.close();
      throw error;
    }
  }

  #access({ tenant: name, scope }: StreamCaller): StreamAccess {
    const { tenants, guard, limits, maxParameters } = this.#options;
    if (this.#tenant !== name || !this.#fixed) {
      const tenant = (this.#tenant = parseTenantId(name));
      const openSession = (): Promise<PinnedSession> => tenants.session(tenant);
      this.#fixed = { runner: tenants.runner(tenant), openSession };
    }
    const tenant = this.#tenant;
    return {
      ...this.#fixed,
      sessions: true,
      guard,
      authorize: byScope(scope, tenant),
      maxRows: limits.maxRows,
      maxResponseBytes: limits.maxResponseBytes,
      maxParameters,
    };
  }
}
