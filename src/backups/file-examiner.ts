// Owns having whole databases read beside the event loop: the thread that does it, and who waits for what.
// Does not say what the findings mean.
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { type ErrorCode, TenantryError } from "../tenantry-error.ts";
import type { Examination, ExaminationAnswer, ExaminationRequest, Examined } from "./file-examiner-thread.ts";

/** Milliseconds after which a thread that nobody needs ends. */
export const EXAMINER_IDLE_MS = 10_000;

interface Waiting {
  readonly resolve: (examined: Examined) => void;
  readonly reject: (error: unknown) => void;
}

/** Examines files one after the other. Close it. */
export class FileExaminer {
  readonly #waiting = new Map<number, Waiting>();
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #last = 0;
  #closed = false;

  /**
   * Examines a file that nobody else has open.
   * @throws {TenantryError} `DATABASE_CORRUPT`, `MIGRATION_FAILED`, `DATABASE_FULL`, `CLOSED`, …
   */
  async examine(examination: Examination): Promise<Examined> {
    if (this.#closed) throw closed();
    clearTimeout(this.#idle);
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<Examined>();
    this.#waiting.set(id, { resolve, reject });
    const thread = (this.#thread ??= this.#start());
    thread.ref();
    thread.postMessage({ id, examination } satisfies ExaminationRequest, []);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0 && !this.#closed) {
        // Nothing but somebody who waits keeps the process from ending.
        this.#thread?.unref();
        this.#idle = setTimeout(() => this.#end(), EXAMINER_IDLE_MS).unref();
      }
    }
  }

  /** Ends it. Who waits is told so. Idempotent. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#end();
  }

  #start(): Worker {
    const program = new URL(`./file-examiner-thread${extname(import.meta.filename)}`, import.meta.url);
    const thread = new Worker(program, { execArgv: [] });
    thread.on("message", ({ id, examined, error }: ExaminationAnswer) => {
      const waiting = this.#waiting.get(id);
      if (examined) waiting?.resolve(examined);
      else waiting?.reject(asError(error));
    });
    // Of one that has been ended before nobody waits any more.
    const fail = (error: unknown): void => (this.#thread === thread ? this.#fail(error) : undefined);
    thread.on("error", fail);
    thread.on("exit", () => fail(closed()));
    return thread;
  }

  #end(): void {
    const thread = this.#thread;
    this.#thread = undefined;
    void thread?.terminate();
    this.#fail(closed());
  }

  #fail(error: unknown): void {
    this.#thread = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}

function asError(error: ExaminationAnswer["error"]): Error {
  if (error?.code === undefined)
    return new Error(error?.message ?? "The examination ended without an answer.");
  return new TenantryError(error.code as ErrorCode, error.message, {
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}

function closed(): TenantryError {
  return new TenantryError("CLOSED", "The examination of files has ended.");
}
