// Owns having whole databases read beside the event loop: the process that does it, and who waits for what. It is no
// thread: one that is ended in the middle of a statement takes the whole process with it.
// Does not say what the findings mean.
import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { type ErrorCode, TenantryError } from "../tenantry-error.ts";
import type {
  Examination,
  ExaminationAnswer,
  ExaminationRequest,
  Examined,
} from "./file-examiner-process.ts";

/** Milliseconds after which a process that nobody needs ends. */
export const EXAMINER_IDLE_MS = 10_000;

interface Waiting {
  readonly resolve: (examined: Examined) => void;
  readonly reject: (error: unknown) => void;
}

/** Examines files one after the other. Close it. */
export class FileExaminer {
  readonly #waiting = new Map<number, Waiting>();
  #process: ChildProcess | undefined;
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
    const child = (this.#process ??= this.#start());
    child.ref();
    child.channel?.ref();
    child.send({ id, examination } satisfies ExaminationRequest);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0 && !this.#closed) {
        // Nothing but somebody who waits keeps the process from ending.
        this.#process?.unref();
        this.#process?.channel?.unref();
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

  #start(): ChildProcess {
    const program = new URL(`./file-examiner-process${extname(import.meta.filename)}`, import.meta.url);
    const child = fork(fileURLToPath(program), {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    child.on("message", ({ id, examined, error }: ExaminationAnswer) => {
      const waiting = this.#waiting.get(id);
      if (examined) waiting?.resolve(examined);
      else waiting?.reject(asError(error));
    });
    // Of one that has been ended before nobody waits any more.
    const fail = (error: unknown): void => (this.#process === child ? this.#fail(error) : undefined);
    child.on("error", fail);
    child.on("exit", () => fail(closed()));
    return child;
  }

  #end(): void {
    const child = this.#process;
    this.#process = undefined;
    child?.kill("SIGKILL");
    this.#fail(closed());
  }

  #fail(error: unknown): void {
    this.#process = undefined;
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
