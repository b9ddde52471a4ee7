// Owns the part of the runtime's own module that objects are made from, as types: its globals and Node's do not
// go together in one program.
declare module "cloudflare:workers" {
  /** What an object is given of itself. */
  export interface DurableObjectContext {
    readonly storage: unknown;
    waitUntil(promise: Promise<unknown>): void;
    blockConcurrencyWhile<T>(fn: () => Promise<T>): Promise<T>;
    abort(reason?: string): void;
  }

  export abstract class DurableObject<Env = unknown> {
    protected ctx: DurableObjectContext;
    protected env: Env;
    constructor(ctx: DurableObjectContext, env: Env);
    alarm?(): void | Promise<void>;
  }
}
