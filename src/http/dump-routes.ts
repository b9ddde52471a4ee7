// Owns `GET …/dump`: a tenant's whole database as SQL text, as fast as its reader takes it and no faster.
// Writes no SQL: the driver does.
import { Hono } from "hono";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Tenants } from "../tenants/tenants.ts";
import type { TenantryEnv } from "./env.ts";

/** Dumps of one tenant that may be under way at once: each has a connection of its own. */
export const MAX_DUMPS_OF_TENANT = 2;
/** Of all tenants of a process together. */
export const MAX_DUMPS = 8;
/** Milliseconds in which the reader of a dump must take something. */
export const DUMP_STALL_MS = 30_000;
/** Milliseconds that a dump may take: meanwhile the log of what others write cannot be folded in. */
export const MAX_DUMP_MS = 3_600_000;

const LOOK_MS = 500;
const HEADERS = { "content-type": "application/sql; charset=utf-8" };

/** `GET /dump`. */
export function dumpRoutes(tenants: Pick<Tenants, "dump" | "isServing">): Hono<TenantryEnv> {
  const underWay = new Map<TenantId, number>();
  let inAll = 0;

  const enter = (tenant: TenantId): (() => void) => {
    const own = underWay.get(tenant) ?? 0;
    if (own >= MAX_DUMPS_OF_TENANT || inAll >= MAX_DUMPS) throw tooMany(tenant);
    underWay.set(tenant, own + 1);
    inAll++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      inAll--;
      const now = (underWay.get(tenant) ?? 1) - 1;
      if (now === 0) underWay.delete(tenant);
      else underWay.set(tenant, now);
    };
  };

  return new Hono<TenantryEnv>().get("/dump", async (c) => {
    c.get("authorize")("read");
    const tenant = c.get("tenant");
    const headers = { ...HEADERS, "content-disposition": `attachment; filename="${tenant}.sql"` };
    if (c.req.method === "HEAD") return c.body(null, 200, headers);
    const leave = enter(tenant);
    const pieces = tenants.dump(tenant);
    try {
      // What goes wrong before the first piece is an answer like any other.
      const first = await pieces.next();
      const incarnation = c.get("schemaKey");
      const stream = dumpStream(first.value ?? "", pieces, leave, () =>
        tenants.isServing(tenant, incarnation),
      );
      return c.body(stream, 200, headers);
    } catch (error) {
      leave();
      throw error;
    }
  });
}

/** The pieces as bytes. Ends them when they have been read, when nobody reads them, and when `isServing` says so. */
function dumpStream(
  first: string,
  pieces: AsyncGenerator<string, void, undefined>,
  leave: () => void,
  isServing: () => Promise<boolean>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const startedAt = performance.now();
  let takenAt = startedAt;
  let making = false;
  let next: string | undefined = first;
  const end = async (): Promise<void> => {
    clearInterval(watch);
    try {
      await pieces.return();
    } finally {
      leave();
    }
  };
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given;
      },
      async pull(controller) {
        making = true;
        try {
          if (next === undefined) {
            const { done, value } = await pieces.next();
            if (done) {
              await end();
              return controller.close();
            }
            next = value;
          }
          const piece = next;
          next = undefined;
          controller.enqueue(encoder.encode(piece));
        } catch (error) {
          await end();
          throw error;
        } finally {
          making = false;
          takenAt = performance.now();
        }
      },
      cancel: end,
    },
    // Nothing is made before it is wanted.
    { highWaterMark: 0 },
  );
  const look = async (): Promise<void> => {
    const now = performance.now();
    const isRead = making || now - takenAt < DUMP_STALL_MS;
    try {
      if (isRead && now - startedAt < MAX_DUMP_MS && (await isServing())) return;
      throw stopped();
    } catch (error) {
      // Its reader must not take what it has for all of it.
      controller?.error(error);
      await end();
    }
  };
  const watch = setInterval(() => void look(), LOOK_MS);
  if (typeof watch === "object") watch.unref();
  return stream;
}

function stopped(): TenantryError {
  return new TenantryError("CLOSED", "The dump was ended before its end.", {
    hint: "It was not read, took too long, or its tenant is not served any more.",
  });
}

function tooMany(tenant: TenantId): TenantryError {
  return new TenantryError("TOO_MANY_REQUESTS", "Too many dumps are under way.", {
    tenant,
    hint: `Read them to their ends: a tenant has ${MAX_DUMPS_OF_TENANT} at once.`,
    retryAfterSeconds: 5,
  });
}
