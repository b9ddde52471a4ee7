// Owns sending statements that are asked for in one turn of the event loop as one call: a call costs more than a
// short statement does. Knows no SQL, and nothing of what a caller makes of an answer.
import { isTenantryError } from "../../tenantry-error.ts";
import type { RunOptions, Statement } from "../driver.ts";
import { type Answer, type ObjectCall, received } from "./object-rpc.ts";
import type { CalledObject } from "./object-calls.ts";
import type { RawResult } from "./object-sql.ts";

/** Statements that travel together at most, and the bytes that they come to; a larger one travels alone. */
export const MAX_CALLS_TOGETHER = 500;
const MAX_BYTES_TOGETHER = 1024 * 1024;

interface Gathered {
  readonly call: ObjectCall;
  readonly reads: () => boolean;
  readonly bytes: number;
  readonly resolve: (result: RawResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers statements until the turn's other callers have had their say, and sends them in order. A turn belongs to one
 * request of a Worker: nothing of two requests is ever sent together.
 */
export class ObjectTurn {
  readonly #object: CalledObject;
  readonly #token: string;
  #gathered: Gathered[] = [];
  #bytes = 0;

  constructor(object: CalledObject, token: string) {
    this.#object = object;
    this.#token = token;
  }

  /** @param reads whether the statement changes nothing; asked where its object was lost */
  run(statement: Statement, options: RunOptions | undefined, reads: () => boolean): Promise<RawResult> {
    return new Promise((resolve, reject) => {
      const bytes = bytesOf(statement);
      if (this.#gathered.length === MAX_CALLS_TOGETHER || this.#bytes + bytes > MAX_BYTES_TOGETHER)
        this.flush();
      if (this.#gathered.length === 0) queueMicrotask(() => this.flush());
      this.#gathered.push({ call: { statement, options }, reads, bytes, resolve, reject });
      this.#bytes += bytes;
    });
  }

  /** Sends what is gathered: before anything else is sent, so that it keeps its place. */
  flush(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    this.#gathered = [];
    this.#bytes = 0;
    void this.#send(gathered);
  }

  async #send(gathered: readonly Gathered[]): Promise<void> {
    const [only] = gathered;
    if (gathered.length === 1 && only) return this.#alone(only);
    let answers: readonly Answer<RawResult>[];
    try {
      answers = await this.#object.ask(
        () => gathered.every(({ reads }) => reads()),
        (to) =>
          to.each(
            this.#token,
            gathered.map(({ call }) => call),
          ),
      );
    } catch (error) {
      const lost = isTenantryError(error, "OUTCOME_UNKNOWN");
      // Of a lost call, what only reads can be asked again, one by one.
      for (const one of gathered) {
        if (lost && one.reads()) void this.#alone(one);
        else one.reject(error);
      }
      return;
    }
    for (const [at, answer] of answers.entries()) {
      const { resolve, reject } = gathered[at] as Gathered;
      if ("value" in answer) resolve(answer.value);
      else if ("error" in answer) reject(received(answer.error));
    }
    if (answers.length < gathered.length) await this.#send(gathered.slice(answers.length));
  }

  async #alone({ call: { statement, options }, reads, resolve, reject }: Gathered): Promise<void> {
    try {
      resolve(await this.#object.ask(reads, (to) => to.run(this.#token, statement, options)));
    } catch (error) {
      reject(error);
    }
  }
}

/** About what a statement takes of a call. */
function bytesOf({ sql, params }: Statement): number {
  let bytes = sql.length + 100;
  for (const param of params) {
    if (typeof param === "string") bytes += param.length * 2;
    else if (ArrayBuffer.isView(param) || param instanceof ArrayBuffer) bytes += param.byteLength;
    else bytes += 8;
  }
  return bytes;
}
