// Owns the part of the runtime's own module that objects are made from, as types: its globals and Node's do not
// go together in one program.
declare module "cloudflare:workers" {
  /** As drivers/durable-object/object-storage.ts has it: an ambient module imports nothing of this package. */
  interface Context {
    readonly storage: unknown;
    waitUntil(promise: Promise<unknown>): void;
    blockConcurrencyWhile<T>(fn: () => Promise<T>): Promise<T>;
    abort(reason?: string): void;
  }

  export abstract class DurableObject<Env = unknown> {
    protected ctx: Context;
    protected env: Env;
    constructor(ctx: Context, env: Env);
    alarm?(): void | Promise<void>;
  }
}
