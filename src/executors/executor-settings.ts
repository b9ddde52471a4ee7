// Owns what an executor process is started with. Its values travel as JSON.
import type { AppOptions } from "../http/app-options.ts";
import type { TenantryOptions } from "../tenantry-options.ts";

/** The part of {@link TenantryOptions} that is data. */
export type ExecutorTenantryOptions = Omit<TenantryOptions, "migrations" | "statements" | "driver"> & {
  /** The folder of the migrations. */
  readonly migrations?: string;
};

/** What an executor process is started with. */
export interface ExecutorSettings {
  readonly tenantry: ExecutorTenantryOptions;
  readonly app: Pick<
    AppOptions,
    | "maxRows"
    | "maxResponseBytes"
    | "maxBodyBytes"
    | "maxSqlBytes"
    | "maxParameters"
    | "maxBatchStatements"
    | "batonKey"
  >;
  /** Where it notes whose statement it runs. */
  readonly progressFile: string;
  /** Milliseconds until it must have said hello. */
  readonly startTimeoutMs?: number;
}
