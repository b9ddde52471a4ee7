// Owns what is used of `@libsql/client`, an optional peer: the subset of its types, and loading it when a driver
// first needs it. Opens nothing.
import { TenantryError } from "../../tenantry-error.ts";

/** One statement, as the library takes it. */
export interface LibsqlStatement {
  readonly sql: string;
  readonly args: unknown[];
}

/** What a statement gave. A row has its values by index, from 0, in the order of `columns`. */
export interface LibsqlResult {
  readonly columns: readonly string[];
  readonly columnTypes: readonly string[];
  readonly rows: readonly ArrayLike<unknown>[];
  readonly rowsAffected: number;
  readonly lastInsertRowid: bigint | undefined;
}

/** An interactive transaction. */
export interface LibsqlTransactionLike {
  execute(statement: LibsqlStatement): Promise<LibsqlResult>;
  batch(statements: LibsqlStatement[]): Promise<LibsqlResult[]>;
  commit(): Promise<void>;
  close(): void;
}

/** What runs statements, each on its own or all or none. */
export interface LibsqlRunner {
  execute(statement: LibsqlStatement): Promise<LibsqlResult>;
  batch(statements: LibsqlStatement[], mode: "write" | "deferred"): Promise<LibsqlResult[]>;
  /** A batch with foreign keys off. */
  migrate(statements: LibsqlStatement[]): Promise<LibsqlResult[]>;
}

/** A client of one database. */
export interface LibsqlClient extends LibsqlRunner {
  transaction(mode: "write" | "deferred"): Promise<LibsqlTransactionLike>;
  sync(): Promise<unknown>;
  close(): void;
}

/** What a client is made with. */
export interface LibsqlConfig {
  url: string;
  authToken?: string;
  syncUrl?: string;
  intMode: "bigint";
  /** Gives what of a `Response` the library reads. */
  fetch?: (request: Request) => Promise<unknown>;
  concurrency?: number;
}

/** The part of the module that is used. */
export interface LibsqlLibrary {
  createClient(config: LibsqlConfig): LibsqlClient;
}

/** @throws {TenantryError} `UNSUPPORTED` where the package is not installed */
export async function loadLibsql(): Promise<LibsqlLibrary> {
  try {
    return (await import("@libsql/client")) as unknown as LibsqlLibrary;
  } catch (cause) {
    throw new TenantryError("UNSUPPORTED", "The libSQL driver needs the package @libsql/client.", {
      hint: "npm install @libsql/client",
      cause,
    });
  }
}
