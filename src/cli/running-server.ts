// Owns asking the server that runs on the same data folder to do something, and following its jobs.
// Does not know what is asked.
import { request } from "node:http";
import { text } from "node:stream/consumers";
import type { Job } from "../backups/jobs.ts";
import { controlPath } from "../http/control-socket.ts";
import { type ErrorCode, TenantryError } from "../tenantry-error.ts";

/** Milliseconds between two looks at a job. */
const LOOK_MS = 100;

/** A server on this data folder. */
export class RunningServer {
  readonly #path: string;
  readonly #actor: string;

  private constructor(path: string, actor: string) {
    this.#path = path;
    this.#actor = actor;
  }

  /** The server of a data folder; undefined where none runs, or where this user may not use it. */
  static async find(dir: string, actor: string): Promise<RunningServer | undefined> {
    const path = controlPath(dir);
    if (path === undefined) return undefined;
    const server = new RunningServer(path, actor);
    try {
      await server.ask("GET", "/admin/jobs");
      return server;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** @throws {TenantryError} what the server answers */
  async ask<T>(method: "GET" | "POST", path: string, body?: object): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const sent = request(
      {
        socketPath: this.#path,
        method,
        path,
        headers: {
          host: "localhost",
          "x-tenantry-actor": encodeURIComponent(this.#actor),
          ...(body && { "content-type": "application/json" }),
        },
      },
      (answer) => {
        text(answer).then((read) => {
          const value = JSON.parse(read) as T & { code: ErrorCode; message: string; hint?: string };
          if ((answer.statusCode ?? 500) < 400) resolve(value);
          else reject(errorOf(value));
        }, reject);
      },
    );
    sent.once("error", reject);
    sent.end(body && JSON.stringify(body));
    return promise;
  }

  /** Follows a job to its end, and gives its result. @throws {TenantryError} what it failed with */
  async follow<T>(job: Job, onPhase: (phase: string) => void): Promise<T> {
    let phase = "";
    for (let now = job; ; now = await this.ask<Job>("GET", `/admin/jobs/${job.id}`)) {
      if (now.state === "done") return now.result as T;
      if (now.error) throw errorOf(now.error);
      if (now.phase !== phase) onPhase((phase = now.phase));
      await new Promise<void>((resolve) => void setTimeout(resolve, LOOK_MS));
    }
  }
}

function errorOf({ code, message, hint }: { code: string; message: string; hint?: string }): TenantryError {
  return new TenantryError(code as ErrorCode, message, hint === undefined ? {} : { hint });
}

function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ECONNREFUSED" || code === "EACCES" || code === "ENOTSOCK";
}
