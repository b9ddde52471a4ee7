// Owns what a replica asks its primary about synchronisation: which protocol it speaks, and whether it has news.
// Does not decide when: that is libsql-replica.ts; and the library's own requests are libsql-sync-process.ts's.
import * as v from "valibot";
import type { RemoteCalls } from "../remote/remote-calls.ts";
import { RemoteFault } from "../remote/remote-fault.ts";
import { type LibsqlAnswer, libsqlFetch, type LibsqlFetchOptions } from "./libsql-fetch.ts";
import { isReplica, replicaPosition, type SyncProtocol } from "./libsql-replica-file.ts";
import type { Synchroniser } from "./libsql-synchroniser.ts";

/** What a {@link ReplicaSource} is made with. */
export interface ReplicaSourceOptions extends LibsqlFetchOptions {
  /** The replica's `file:` URL. */
  readonly url: string;
  /** The path of the same. */
  readonly path: string;
  /** The primary's URL, without a slash at the end. */
  readonly primary: string;
  readonly synchroniser: Synchroniser;
  /** What is tried again of the requests that are made here; the library tries its own again by itself. */
  readonly calls: RemoteCalls;
}

const GENERATION = v.object({ generation: v.number() });

/** One replica's primary, as far as synchronisation goes. What it throws is a `RemoteFault`. */
export class ReplicaSource {
  readonly #options: ReplicaSourceOptions;
  readonly #fetch: ReturnType<typeof libsqlFetch>;
  #protocol: SyncProtocol | undefined;

  constructor(options: ReplicaSourceOptions) {
    this.#options = options;
    this.#fetch = libsqlFetch(options);
  }

  /** How it synchronises: asked once. A token that it refuses is renewed. */
  async protocol(): Promise<SyncProtocol> {
    return (this.#protocol ??= await this.#askProtocol());
  }

  /** Brings all that the primary has by now. */
  async synchronise(): Promise<void> {
    const { url, path, primary, synchroniser, token } = this.#options;
    const protocol = await this.protocol();
    await synchroniser.run({ url, path, primary, protocol, token: await token(false) });
  }

  /** Whether the primary has something that is not here; of one that speaks gRPC that is not known, so it may. */
  async hasNews(): Promise<boolean> {
    const at = await replicaPosition(this.#options.path);
    if (!at) {
      this.#protocol = await this.#askProtocol();
      return true;
    }
    const { generation, frame } = at;
    const answer = await this.#get(`/sync/${generation}/${frame + 1}/${frame + 2}`);
    const said = v.safeParse(GENERATION, await answer.json().catch(() => undefined));
    return answer.ok || !said.success || said.output.generation > generation;
  }

  /** Whether there is something to read without the primary. */
  isHere(): Promise<boolean> {
    return isReplica(this.#options.path);
  }

  async #askProtocol(): Promise<SyncProtocol> {
    try {
      await this.#get("/info");
      return "http";
    } catch (error) {
      const missing = error instanceof RemoteFault && error.kind === "missing";
      // What has been synchronised by HTTP is not given up because the primary is not found now.
      if (!missing || (await replicaPosition(this.#options.path))) throw error;
      return "grpc";
    }
  }

  #get(path: string): Promise<LibsqlAnswer> {
    const { primary, calls } = this.#options;
    return calls.run(false, () => this.#fetch(new Request(primary.replace(/^libsql:/, "https:") + path)));
  }
}
