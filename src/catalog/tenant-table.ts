// Owns reading the table of tenants: one by id, pages, sweeps, counts, who is behind.
// Does not write it: that are `tenant-changes.ts` and `create-queue.ts`.
import type { SqlRunner } from "../drivers/driver.ts";
import { type TenantId, isTenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import {
  MAX_PAGE_LIMIT,
  decodeCursor,
  encodeCursor,
  type PageRequest,
  pageLimit,
  toPage,
} from "./page-cursor.ts";
import type { RowCache } from "./row-cache.ts";
import {
  LIVE_TENANT_STATES,
  type LiveTenantState,
  TENANT_COLUMNS,
  TENANT_STATES,
  type TenantRecord,
  type TenantState,
} from "./tenant-record.ts";

/** Which tenants. */
export interface TenantFilter {
  /** In one of these states. @default all but `deleted` */
  readonly state?: TenantState | readonly TenantState[] | undefined;
  /** With an id that begins so. @default any */
  readonly prefix?: string | undefined;
}

/** Which tenants, and which page of them. */
export interface TenantQuery extends TenantFilter, PageRequest {}

/** Tenants in the order of their ids. */
export interface TenantPage {
  readonly tenants: TenantRecord[];
  /** What the next page is asked with; null on the last page. */
  readonly cursor: string | null;
}

/** States whose schema a sweep brings up: all but tenants on the move and the deleted. */
export const SWEPT_STATES: readonly LiveTenantState[] = ["active", "suspended", "migrating", "quarantined"];

/** The index is named where SQLite, which has no statistics here, may take the other one for the better. */
const BY_STATE = "tenants INDEXED BY tenants_by_state";
const BY_SCHEMA = "tenants INDEXED BY tenants_by_schema";

/** Less and greater than every character of an id. */
const BEFORE_IDS = " ";
const AFTER_IDS = "~";

/** Reads the table of tenants. */
export class TenantTable {
  readonly #db: SqlRunner;
  readonly #cache: RowCache<TenantRecord>;

  constructor(db: SqlRunner, cache: RowCache<TenantRecord>) {
    this.#db = db;
    this.#cache = cache;
  }

  /** A tenant that is not deleted. */
  get(id: TenantId): Promise<TenantRecord | undefined> {
    return this.#cache.get(id, this.#readLive);
  }

  /** A tenant that is not deleted, as everybody else has left it up to now. */
  getUpToNow(id: TenantId): Promise<TenantRecord | undefined> {
    const row = this.#cache.peekNow(id);
    return row === undefined ? this.getFresh(id) : Promise.resolve(row);
  }

  /** A tenant that is not deleted, as the database has it now. */
  getFresh(id: TenantId): Promise<TenantRecord | undefined> {
    return this.#cache.keep(
      id,
      () => this.#readLive(id),
      (row) => row,
    );
  }

  /** A tenant as the database has it, deleted or not. */
  async read(id: TenantId): Promise<TenantRecord | undefined> {
    const sql = `SELECT ${TENANT_COLUMNS} FROM tenants WHERE id = ?`;
    return (await this.#db.run({ sql, params: [id] })).rows[0] as TenantRecord | undefined;
  }

  /** Those of `ids` that are there and not deleted, in one read. */
  async getMany(ids: readonly TenantId[]): Promise<Map<TenantId, TenantRecord>> {
    const found = new Map<TenantId, TenantRecord>();
    const { rows } = await this.#db.run({
      sql: `SELECT ${TENANT_COLUMNS} FROM tenants
            WHERE id IN (SELECT value FROM json_each(?)) AND state <> 'deleted'`,
      params: [JSON.stringify(ids)],
    });
    for (const row of rows as unknown[] as TenantRecord[]) found.set(row.id, row);
    return found;
  }

  /** A page of tenants. @throws {TenantryError} `INVALID_ARGUMENT` */
  async list({ state, prefix, limit, cursor }: TenantQuery = {}): Promise<TenantPage> {
    const size = pageLimit(limit);
    const after = decodeCursor("tenant", cursor, isTenantId) as TenantId | undefined;
    const page = await this.#page(statesOf(state), checkedPrefix(prefix), after, size + 1);
    const { entries, cursor: next } = toPage(page, size, ({ id }) => encodeCursor("tenant", id));
    return { tenants: entries, cursor: next };
  }

  /** Every tenant of the filter, read page by page: what changes meanwhile may or may not be seen. */
  async *iterate({ state, prefix }: TenantFilter = {}): AsyncGenerator<TenantRecord, void, undefined> {
    const states = statesOf(state);
    const begin = checkedPrefix(prefix);
    let page: TenantRecord[] = [];
    do {
      page = await this.#page(states, begin, page.at(-1)?.id, MAX_PAGE_LIMIT);
      yield* page;
    } while (page.length === MAX_PAGE_LIMIT);
  }

  /** How many tenants are in each state. */
  async count(): Promise<Record<TenantState, number>> {
    const { rows } = await this.#db.run({ sql: "SELECT state, tenants FROM tenant_counts", params: [] });
    const counted = Object.fromEntries(
      (rows as { state: TenantState; tenants: number }[]).map(({ state, tenants }) => [state, tenants]),
    );
    return Object.fromEntries(TENANT_STATES.map((state) => [state, counted[state] ?? 0])) as Record<
      TenantState,
      number
    >;
  }

  /** Every tenant in one of `states` whose schema hash is not `schemaHash`. */
  async *behind(
    schemaHash: string,
    states: readonly LiveTenantState[],
  ): AsyncGenerator<TenantRecord, void, undefined> {
    // There are few different hashes, and each is a range of the index, which "differs from" is not.
    for (let hash = await this.#hashAfter(); hash !== undefined; hash = await this.#hashAfter(hash)) {
      if (hash === schemaHash) continue;
      let page: TenantRecord[] = [];
      do {
        page = await this.#pageOfHash(hash, states, page.at(-1)?.id ?? "");
        yield* page;
      } while (page.length === MAX_PAGE_LIMIT);
    }
  }

  /** How many tenants {@link behind} would give. */
  async countBehind(schemaHash: string, states: readonly LiveTenantState[]): Promise<number> {
    const half = `SELECT count(*) FROM ${BY_SCHEMA} WHERE state <> 'deleted' AND state IN (${marks(states)}) AND schema_hash`;
    const { rows } = await this.#db.run({
      sql: `SELECT (${half} < ?) + (${half} > ?) AS tenants`,
      params: [...states, schemaHash, ...states, schemaHash],
    });
    return (rows[0] as { tenants: number }).tenants;
  }

  readonly #readLive = async (id: string): Promise<TenantRecord | undefined> => {
    const sql = `SELECT ${TENANT_COLUMNS} FROM tenants WHERE id = ? AND state <> 'deleted'`;
    return (await this.#db.run({ sql, params: [id] })).rows[0] as TenantRecord | undefined;
  };

  /** A range of ids in each state, merged: tombstones are not read to be passed over. */
  async #page(
    states: readonly TenantState[],
    prefix: string,
    after: TenantId | undefined,
    limit: number,
  ): Promise<TenantRecord[]> {
    const range = `SELECT ${TENANT_COLUMNS} FROM ${BY_STATE}
      WHERE state = ? AND id >= ? AND id < ?`;
    const begin = after === undefined || after < prefix ? prefix : after + BEFORE_IDS;
    const { rows } = await this.#db.run({
      sql: `${states.map(() => range).join(" UNION ALL ")} ORDER BY id LIMIT ?`,
      params: [...states.flatMap((state) => [state, begin, prefix + AFTER_IDS]), limit],
    });
    return rows as unknown[] as TenantRecord[];
  }

  /** The next schema hash in use; the least of them without `hash`. */
  async #hashAfter(hash?: string): Promise<string | undefined> {
    const { rows } = await this.#db.run({
      sql: `SELECT schema_hash AS hash FROM ${BY_SCHEMA}
            WHERE state <> 'deleted' AND schema_hash ${hash === undefined ? ">=" : ">"} ?
            ORDER BY schema_hash LIMIT 1`,
      params: [hash ?? ""],
    });
    return (rows[0] as { hash: string } | undefined)?.hash;
  }

  async #pageOfHash(
    hash: string,
    states: readonly LiveTenantState[],
    after: string,
  ): Promise<TenantRecord[]> {
    const { rows } = await this.#db.run({
      sql: `SELECT ${TENANT_COLUMNS} FROM ${BY_SCHEMA}
            WHERE schema_hash = ? AND id > ? AND state <> 'deleted' AND state IN (${marks(states)})
            ORDER BY id LIMIT ${MAX_PAGE_LIMIT}`,
      params: [hash, after, ...states],
    });
    return rows as unknown[] as TenantRecord[];
  }
}

/** @throws {TenantryError} `INVALID_ARGUMENT` */
function statesOf(state: TenantFilter["state"]): readonly TenantState[] {
  if (state === undefined) return LIVE_TENANT_STATES;
  const states = new Set(typeof state === "string" ? [state] : state);
  const unknown = [...states].find((one) => !TENANT_STATES.includes(one));
  if (unknown === undefined && states.size > 0) return [...states];
  throw new TenantryError(
    "INVALID_ARGUMENT",
    unknown === undefined
      ? "The list of states is empty."
      : `${JSON.stringify(unknown)} is not a state of a tenant.`,
    { hint: `States are ${TENANT_STATES.join(", ")}.` },
  );
}

/** @throws {TenantryError} `INVALID_ARGUMENT` */
function checkedPrefix(prefix = ""): string {
  if (/^[a-z0-9_-]{0,63}$/.test(prefix)) return prefix;
  throw new TenantryError("INVALID_ARGUMENT", "The prefix is not the beginning of a tenant id.", {
    hint: 'Tenant ids are of lower-case letters, digits, "-" and "_".',
  });
}

function marks(values: readonly unknown[]): string {
  return values.map(() => "?").join(", ");
}
