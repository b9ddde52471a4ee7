// Owns the part of Cloudflare's D1 binding that this room uses, as types.

/** A prepared statement of D1. */
export interface D1Statement {
  bind(...values: unknown[]): D1Statement;
  all(): Promise<D1Answer>;
  raw(options: { columnNames: true }): Promise<unknown[][]>;
}

/** D1's result of a statement. */
export interface D1Answer {
  readonly results: Record<string, unknown>[];
  readonly meta: Record<string, unknown>;
}

/** Whatever runs D1's statements: a database, or a session of it. */
export interface D1Queries {
  prepare(sql: string): D1Statement;
  batch(statements: never[]): Promise<unknown[]>;
}

/** A D1 database, as a Worker is given it. */
export interface D1Binding extends D1Queries {
  withSession(constraintOrBookmark?: string): D1Queries & { getBookmark(): string | null };
}
