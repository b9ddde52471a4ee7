// Owns the way to a container of Azure's object storage: whose credentials, what is tried again, and what its errors mean.
// Does not know what is in it.
import type { ContainerClient } from "@azure/storage-blob";
import { TenantryError } from "../tenantry-error.ts";
import { notInstalled } from "./not-installed.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** How often a request is sent that the service, or the network, fails; the pauses between them double. */
const TRIES = 5;
const FIRST_PAUSE_MS = 200;

/**
 * Finds the credentials that Litestream finds: a token in `LITESTREAM_AZURE_SAS_TOKEN`, a key in
 * `LITESTREAM_AZURE_ACCOUNT_KEY`, or the identity that Azure's tools give.
 * @throws {TenantryError} `UNSUPPORTED` without `@azure/storage-blob`, or without `@azure/identity` where that is
 * needed; `BACKUPS_UNAVAILABLE` where the URL names no account
 */
export async function absContainer(url: ReplicaUrl): Promise<ContainerClient> {
  const { ContainerClient, StorageRetryPolicyType, StorageSharedKeyCredential } =
    await import("@azure/storage-blob").catch(notInstalled("@azure/storage-blob"));
  const { username: account } = new URL(url.at(""));
  if (account === "") {
    throw new TenantryError("BACKUPS_UNAVAILABLE", `${url.shown} names no account.`, {
      hint: "abs://account@container/path",
    });
  }
  const { LITESTREAM_AZURE_SAS_TOKEN: token, LITESTREAM_AZURE_ACCOUNT_KEY: key } = process.env;
  const container = `https://${account}.blob.core.windows.net/${url.host}`;
  const options = {
    retryOptions: {
      maxTries: TRIES,
      retryDelayInMs: FIRST_PAUSE_MS,
      retryPolicyType: StorageRetryPolicyType.EXPONENTIAL,
    },
  };
  if (token) return new ContainerClient(`${container}?${token.replace(/^\?/, "")}`, undefined, options);
  if (key) return new ContainerClient(container, new StorageSharedKeyCredential(account, key), options);
  const { DefaultAzureCredential } = await import("@azure/identity").catch(notInstalled("@azure/identity"));
  return new ContainerClient(container, new DefaultAzureCredential(), options);
}

/** The status with which Azure has refused; undefined where nothing was answered. */
export function absStatus(error: unknown): number | undefined {
  return (error as { readonly statusCode?: number }).statusCode;
}

/** Azure's word for what is wrong, or that of the network. */
export function absCode(error: unknown): string | undefined {
  return (error as { readonly code?: string }).code;
}

/** Whether it is a blob that is missing, and not its container. */
export function isBlobMissing(error: unknown): boolean {
  return absStatus(error) === 404 && absCode(error) !== "ContainerNotFound";
}

/** The error where the storage does not do what it is asked. Has nothing of the request in it. */
export function absUnavailable(url: ReplicaUrl, error: unknown): TenantryError {
  const status = absStatus(error);
  const lines = (error as Error).message.split("\n").filter((line) => !/^(?:RequestId|Time):/.test(line));
  const isLate = /^(?:Abort|Timeout)Error$/.test((error as Error).name);
  const words = isLate ? "it did not answer in time" : lines.join(" ").slice(0, 300).replace(/\.$/, "");
  const why = status === undefined ? words : `it answered ${status} ${absCode(error) ?? ""}: ${words}`;
  return new TenantryError("BACKUPS_UNAVAILABLE", `${url.shown} cannot be used: ${why}.`, {
    hint: "Check the URL, the credentials (LITESTREAM_AZURE_SAS_TOKEN, LITESTREAM_AZURE_ACCOUNT_KEY, or the machine's), what they may do, and the network.",
    retryAfterSeconds: 10,
    cause: { status },
  });
}
