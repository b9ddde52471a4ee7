// Owns the list of drivers that the contract is run against, and why each differs from D1: what the capability
// matrix in docs/drivers.md is made of.
import { d1BindingDriver } from "../../src/drivers/d1/d1-binding-driver.ts";
import { d1RestDriver } from "../../src/drivers/d1/d1-rest-driver.ts";
import type { DriverCapabilities } from "../../src/drivers/driver.ts";
import { durableObjectDriver } from "../../src/drivers/durable-object/durable-object-driver.ts";
import { libsqlDriver } from "../../src/drivers/libsql/libsql-driver.ts";
import { localDriver } from "../../src/drivers/local/local-driver.ts";
import { D1_BINDING_SKIPS } from "./d1-binding-skips.ts";
import { D1_REST_SKIPS } from "./d1-rest-skips.ts";
import { LIBSQL_FILE_SKIPS, LIBSQL_SKIPS } from "./libsql-skips.ts";
import { LOCAL_SKIPS } from "./local-skips.ts";
import { OBJECT_SKIPS } from "./object-skips.ts";

/** A driver, the file in `test/` that runs the contract on it, and under which name. */
export interface ContractDriver {
  readonly heading: string;
  readonly file: string;
  readonly run: string;
  readonly skips: Readonly<Record<string, string>>;
  /** The constant in that file. */
  readonly skipsName: string;
  readonly capabilities: DriverCapabilities;
}

const libsql = libsqlDriver({ url: "libsql://{tenant}.example" }).capabilities;

export const CONTRACT_DRIVERS: readonly ContractDriver[] = [
  {
    heading: "files",
    file: "driver-contract-local.test.ts",
    run: "a tenant on the local driver",
    skips: LOCAL_SKIPS,
    skipsName: "LOCAL_SKIPS",
    capabilities: localDriver({ dir: "." }).capabilities,
  },
  {
    heading: "libSQL",
    file: "driver-contract-libsql.test.ts",
    run: "libSQL over HTTP, to Tenantry's own endpoint",
    skips: LIBSQL_SKIPS,
    skipsName: "LIBSQL_SKIPS",
    capabilities: libsql,
  },
  {
    heading: "libSQL file",
    file: "driver-contract-libsql.test.ts",
    run: "libSQL file",
    skips: LIBSQL_FILE_SKIPS,
    skipsName: "LIBSQL_FILE_SKIPS",
    capabilities: libsql,
  },
  {
    heading: "D1 binding",
    file: "workerd/d1-binding-contract.test.ts",
    run: "a D1 binding by Tenantry's driver",
    skips: D1_BINDING_SKIPS,
    skipsName: "D1_BINDING_SKIPS",
    capabilities: d1BindingDriver({ databases: {} }).capabilities,
  },
  {
    heading: "D1 by REST",
    file: "driver-contract-d1-rest.test.ts",
    run: "D1 by REST",
    skips: D1_REST_SKIPS,
    skipsName: "D1_REST_SKIPS",
    capabilities: d1RestDriver({ accountId: "a", apiToken: "t" }).capabilities,
  },
  {
    heading: "Durable Object",
    file: "workerd/durable-object-contract.test.ts",
    run: "a Durable Object in workerd",
    skips: OBJECT_SKIPS,
    skipsName: "OBJECT_SKIPS",
    capabilities: durableObjectDriver({ namespace: { idFromName: () => ({}) } as never }).capabilities,
  },
];
