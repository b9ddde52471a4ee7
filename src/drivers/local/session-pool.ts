// Owns the connections that databases have besides their shared one: how many there are in all of them
// together, and which are kept for the next who needs one.
// Does not know what they are used for.
import { FifoLock } from "../../fifo-lock.ts";
import { TenantryError } from "../../tenantry-error.ts";
import type { Connection } from "./connection.ts";

/** What a {@link SessionPool} is made with. */
export interface SessionPoolOptions {
  /** Connections in use at once, of all databases. */
  readonly maxInUse: number;
  /** Unused connections kept, of all databases; the one unused for longest goes first. */
  readonly maxSpare: number;
  /** Milliseconds that a caller waits for a connection. */
  readonly timeoutMs: number;
}

/** A use of a connection. */
export interface SessionLease {
  readonly connection: Connection;
  /** Rolls back what is not committed, and gives the connection back. Calling it twice does nothing. */
  readonly release: () => void;
}

/** Whoever opens the connections: one database. */
export interface SessionOwner {
  readonly closed: boolean;
  openConnection(): Connection | Promise<Connection>;
}

/**
 * Without a bound over all databases, a thousand tenants that each keep a spare connection would take the
 * descriptors on which the handles' budget counts.
 */
export class SessionPool {
  readonly #permits: FifoLock;
  readonly #maxSpare: number;
  /** Whose they are; the one unused for longest comes first. */
  readonly #spare = new Map<Connection, SessionOwner>();
  /** An owner's spare ones, the one unused for longest first. */
  readonly #spareOf = new Map<SessionOwner, Connection[]>();
  readonly #inUse = new Map<SessionOwner, Set<Connection>>();

  constructor({ maxInUse, maxSpare, timeoutMs }: SessionPoolOptions) {
    this.#permits = new FifoLock({
      permits: maxInUse,
      timeoutMs,
      onTimeout: () =>
        new TenantryError("DATABASE_BUSY", `All ${maxInUse} connections for transactions are taken.`, {
          hint: "Try again; keep transactions short.",
          retryAfterSeconds: 1,
        }),
    });
    this.#maxSpare = maxSpare;
  }

  /** A connection of `owner`'s database, for one user. @throws {TenantryError} `DATABASE_BUSY`, `CLOSED` */
  async acquire(owner: SessionOwner): Promise<SessionLease> {
    const permit = await this.#permits.acquire();
    try {
      const connection = this.#takeSpare(owner) ?? (await owner.openConnection());
      if (owner.closed) {
        connection.close();
        throw new TenantryError("CLOSED", "The database handle is closed.");
      }
      const inUse = this.#inUse.get(owner) ?? new Set();
      this.#inUse.set(owner, inUse.add(connection));
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        inUse.delete(connection);
        if (inUse.size === 0) this.#inUse.delete(owner);
        this.#keep(owner, connection);
        permit();
      };
      return { connection, release };
    } catch (error) {
      permit();
      throw error;
    }
  }

  /** Closes every connection of `owner`, in use or not; what is not committed is rolled back. */
  closeAll(owner: SessionOwner): void {
    for (let spare = this.#takeSpare(owner); spare; spare = this.#takeSpare(owner)) spare.close();
    for (const connection of this.#inUse.get(owner) ?? []) connection.close();
  }

  /** The one used last: its pages are in memory. */
  #takeSpare(owner: SessionOwner): Connection | undefined {
    const spare = this.#spareOf.get(owner);
    const connection = spare?.pop();
    if (spare?.length === 0) this.#spareOf.delete(owner);
    if (connection) this.#spare.delete(connection);
    return connection;
  }

  /** Several who come at once come again: an open takes longer than most of what they do. */
  #keep(owner: SessionOwner, connection: Connection): void {
    if (!connection.open) return;
    connection.rollback();
    if (owner.closed || this.#maxSpare === 0) return connection.close();
    this.#spare.set(connection, owner);
    const spare = this.#spareOf.get(owner);
    if (spare) spare.push(connection);
    else this.#spareOf.set(owner, [connection]);
    if (this.#spare.size <= this.#maxSpare) return;
    for (const [oldest, whose] of this.#spare) return this.#closeOldest(oldest, whose);
  }

  #closeOldest(oldest: Connection, owner: SessionOwner): void {
    this.#spare.delete(oldest);
    const spare = this.#spareOf.get(owner);
    spare?.shift();
    if (spare?.length === 0) this.#spareOf.delete(owner);
    oldest.close();
  }
}
