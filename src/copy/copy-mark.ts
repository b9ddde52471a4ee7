// Owns the mark of a target to which a copy is under way: which run of which copy it is, from the first write to the
// last. Writes nothing else.
import type { Statement } from "../drivers/driver.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { CopyTarget } from "./copy-end.ts";
import { COPY_MARK } from "./copy-plan.ts";

/** A run's hold on its target. */
export class CopyMark {
  readonly #target: CopyTarget;
  /** Letters, digits and dashes: it is part of statements. */
  readonly #run = crypto.randomUUID();

  constructor(target: CopyTarget) {
    this.#target = target;
  }

  /**
   * Marks the target.
   * @param over whether there is a mark already, of a copy that was cut short or of one that will be now
   * @throws {TenantryError} `COPY_REFUSED` where somebody else came between
   */
  async take(over: boolean): Promise<void> {
    const statements = [
      ...(over ? [`DROP TABLE ${COPY_MARK}`] : []),
      `CREATE TABLE ${COPY_MARK} (run TEXT NOT NULL)`,
      `INSERT INTO ${COPY_MARK} VALUES ('${this.#run}')`,
    ];
    await this.#write(statements.map((sql) => ({ sql, params: [] })));
  }

  /** Writes to the target while the mark is this run's. @throws {TenantryError} `COPY_REFUSED` where it is not */
  readonly write = async (statements: readonly Statement[]): Promise<void> =>
    this.#write([
      // It fails where the mark is another run's, and where there is none: NULL is refused.
      { sql: `UPDATE ${COPY_MARK} SET run = CASE run WHEN '${this.#run}' THEN run END`, params: [] },
      ...statements,
    ]);

  /** The copy is whole. */
  async drop(): Promise<void> {
    await this.write([{ sql: `DROP TABLE ${COPY_MARK}`, params: [] }]);
  }

  async #write(statements: readonly Statement[]): Promise<void> {
    try {
      await this.#target.write(statements);
    } catch (error) {
      const code = isTenantryError(error) ? error.code : undefined;
      const taken =
        (code === "CONSTRAINT" || code === "SQL_ERROR") && (error as Error).message.includes(COPY_MARK);
      throw taken ? takenOver(error) : error;
    }
  }
}

function takenOver(cause: unknown): TenantryError {
  return new TenantryError(
    "COPY_REFUSED",
    "Another copy into the same target has begun, or has ended, meanwhile.",
    {
      hint: "Let that one end, and look at the target before copying to it again.",
      cause,
    },
  );
}
