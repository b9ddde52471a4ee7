// Owns where a request's connection comes from, as far as the runtime tells.
// Reads no headers: those are the sender's words.
import type { Context } from "hono";

/** What `@hono/node-server` puts into the context. */
interface NodeBindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
}

/** The address at the other end of the connection; undefined on runtimes that do not say. */
export function remoteAddressOf(c: Context): string | undefined {
  return (c.env as NodeBindings | undefined)?.incoming?.socket?.remoteAddress;
}
