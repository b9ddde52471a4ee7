// Owns reaching objects by RPC: the stub, what a broken call means, and which one may be sent again.
// Knows no SQL.
import { TenantryError } from "../../tenantry-error.ts";
import { StaleHandleError } from "../stale-handle.ts";
import { type Answer, received, type TenantObjectRpc } from "./object-rpc.ts";

/** An object's id. */
export interface ObjectId {
  toString(): string;
}

/** What is used of a binding to a class of objects. */
export interface ObjectNamespace {
  idFromName(name: string): ObjectId;
  get(id: ObjectId, options?: { locationHint?: never }): unknown;
  jurisdiction(jurisdiction: never): ObjectNamespace;
}

/** What {@link ObjectCalls} is made with. */
export interface ObjectCallsOptions {
  readonly namespace: ObjectNamespace;
  readonly locationHint?: string;
  readonly jurisdiction?: string;
}

/** One object, as somebody who may call it. */
export interface CalledObject {
  readonly name: string;
  /**
   * The object's answer. A call that only reads is sent again, once, where the object was lost on the way; whether
   * it does is asked only then.
   * @throws {TenantryError} what the object says; `OVERLOADED`, `DATABASE_UNREACHABLE`; `OUTCOME_UNKNOWN` for a write
   */
  ask<T>(reads: () => boolean, call: (object: TenantObjectRpc) => Promise<Answer<T>>): Promise<T>;
}

/** What the runtime says of an error that is its own. */
interface RuntimeError {
  readonly overloaded?: boolean;
}

/** A call that changes nothing. */
export const READS = (): boolean => true;
/** A call that may change something. */
export const WRITES = (): boolean => false;

/** Calls objects of one class. */
export class ObjectCalls {
  readonly #namespace: ObjectNamespace;
  readonly #options: { locationHint?: never };

  constructor({ namespace, locationHint, jurisdiction }: ObjectCallsOptions) {
    // A binding that wrangler.toml does not name is undefined, whatever its type says.
    if (typeof (namespace as ObjectNamespace | undefined)?.idFromName !== "function") {
      throw new TenantryError("INVALID_OPTION", "The binding of the tenants' objects is not there.", {
        hint: "Bind the class in wrangler.toml: [[durable_objects.bindings]], and new_sqlite_classes in [[migrations]].",
      });
    }
    this.#namespace = jurisdiction === undefined ? namespace : namespace.jurisdiction(jurisdiction as never);
    this.#options = locationHint === undefined ? {} : { locationHint: locationHint as never };
  }

  /** The object of that name. */
  of(name: string): CalledObject {
    const id = this.#namespace.idFromName(name);
    // A stub is its request's own, and one that has failed stays broken.
    const stub = (): TenantObjectRpc => this.#namespace.get(id, this.#options) as TenantObjectRpc;
    return {
      name,
      async ask(reads, call) {
        let answer;
        try {
          answer = await call(stub());
        } catch (error) {
          if ((error as RuntimeError).overloaded || !reads()) throw lost(error, false);
          answer = await call(stub()).catch((again: unknown) => {
            throw lost(again, true);
          });
        }
        if ("value" in answer) return answer.value;
        if ("stale" in answer) throw new StaleHandleError();
        throw received(answer.error);
      },
    };
  }
}

function lost(cause: unknown, reads: boolean): TenantryError {
  const { overloaded } = cause as RuntimeError;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/limited to 32 ?MiB/.test(message)) {
    return new TenantryError("BODY_TOO_LARGE", "The statements are too large for one call of an object.", {
      hint: "Send them in several batches of less than 32 MiB.",
      cause,
    });
  }
  if (overloaded) {
    return new TenantryError("OVERLOADED", "The tenant's object has more requests than it can answer.", {
      hint: "Try again in a moment, and send fewer at once.",
      retryAfterSeconds: 1,
      cause,
    });
  }
  if (reads) {
    return new TenantryError("DATABASE_UNREACHABLE", "The tenant's object could not be reached.", {
      hint: "Try again in a moment.",
      retryAfterSeconds: 1,
      cause,
    });
  }
  return new TenantryError("OUTCOME_UNKNOWN", "The tenant's object was lost while it wrote.", {
    hint: "The write was done wholly or not at all. Read before you send it again.",
    cause,
  });
}
