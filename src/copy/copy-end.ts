// Owns what a copy needs of the two databases between which it runs: how one is read and how the other is written.
// Copies nothing.
import type { SqlRunner, Statement } from "../drivers/driver.ts";

/** Where a copy comes from. */
export interface CopySource {
  readonly db: SqlRunner;
  /** Whether all that is read is of one moment; where not, the source is read twice to see that it stood still. */
  readonly stable: boolean;
}

/** What a target can hold, in bytes; undefined for what SQLite itself can. */
export interface TargetLimits {
  /** What the target is called in errors. */
  readonly name: string;
  readonly maxDatabaseBytes?: number;
  readonly maxValueBytes?: number;
  readonly maxRowBytes?: number;
  readonly maxColumns?: number;
  readonly maxSqlBytes?: number;
  /** Whether a REAL has to be finite, because the target cannot give back another. @default false */
  readonly finite?: boolean;
  /** Modules of virtual tables that it has, in lower case. */
  readonly modules?: ReadonlySet<string>;
}

/** Where a copy goes. */
export interface CopyTarget {
  readonly db: SqlRunner;
  readonly limits: TargetLimits;
  /** Bytes of one statement's text. */
  readonly maxStatementBytes: number;
  /** Whether the tables in which a virtual table keeps its content can be written to. */
  readonly shadowTables: boolean;
  /** Runs the statements, all or none, with foreign keys off or deferred to their end. */
  write(statements: readonly Statement[]): Promise<void>;
}
