// Owns requests to Google's object storage: whose credentials, its emulator, what is tried again, and for how long.
// Does not know what is asked for.
import { TenantryError } from "../tenantry-error.ts";
import { notInstalled } from "./not-installed.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Milliseconds that an answer may take; {@link GsRequest.timeoutMs} where there is much to send. */
const TIMEOUT_MS = 15_000;
/** How often a request is sent again that the service has failed, and that nobody has answered. */
const RETRIES = 4;
const SILENT_RETRIES = 2;
/** Reading, writing and removing objects. */
const SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";
const HOST = "https://storage.googleapis.com";

/** What is asked. */
export interface GsRequest {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Blob;
  /** @default "json" */
  readonly as?: "json" | "text" | "stream";
  /** Statuses that are answers like a success. */
  readonly also?: readonly number[];
  /** 0: for as long as it takes. @default 15000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What is answered. */
export interface GsAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly data: T;
}

/** Sends requests for a bucket. */
export interface GsClient {
  /** The URL of the bucket's objects; each lies below it, its key encoded. */
  readonly objects: string;
  /** Where objects are uploaded. */
  readonly uploads: string;
  /** @throws {TenantryError} `BACKUPS_UNAVAILABLE`, without a credential in it */
  send<T>(request: GsRequest): Promise<GsAnswer<T>>;
}

/**
 * Finds the credentials that Litestream finds: a file that `GOOGLE_APPLICATION_CREDENTIALS` names, gcloud's, or the
 * machine's; none for the emulator that `STORAGE_EMULATOR_HOST` names.
 * @throws {TenantryError} `UNSUPPORTED` without `google-auth-library`, `BACKUPS_UNAVAILABLE` without credentials
 */
export async function gsClient(url: ReplicaUrl): Promise<GsClient> {
  const { GoogleAuth, PassThroughClient } = await import("google-auth-library").catch(
    notInstalled("google-auth-library"),
  );
  const emulator = process.env["STORAGE_EMULATOR_HOST"];
  const host = emulator ? emulatorUrl(emulator) : HOST;
  const client = emulator
    ? new PassThroughClient()
    : await new GoogleAuth({
        scopes: [SCOPE],
        clientOptions: { transporterOptions: { timeout: TIMEOUT_MS } },
      })
        .getClient()
        .catch((error: Error) => {
          // What cannot be parsed is quoted in the message, and would be a key.
          const why = error instanceof SyntaxError ? "their file is no JSON" : error.message;
          throw gsUnavailable(url, `there are no credentials: ${why.replace(/\.$/, "")}`);
        });
  const bucket = `b/${encodeURIComponent(url.host)}/o`;
  return {
    objects: `${host}/storage/v1/${bucket}`,
    uploads: `${host}/upload/storage/v1/${bucket}`,
    async send<T>(request: GsRequest): Promise<GsAnswer<T>> {
      const { as = "json", also = [], timeoutMs = TIMEOUT_MS, ...rest } = request;
      try {
        return await client.request<T>({
          ...rest,
          responseType: as,
          timeout: timeoutMs,
          redirect: "manual",
          validateStatus: (status) => (status >= 200 && status < 300) || also.includes(status),
          retryConfig: {
            retry: RETRIES,
            noResponseRetries: SILENT_RETRIES,
            // Of those that are sent here, none does harm when it is done twice.
            httpMethodsToRetry: ["GET", "POST", "PUT", "DELETE"],
          },
          ...(emulator && { noProxy: [new URL(host)] }),
        });
      } catch (error) {
        const { status } = error as { readonly status?: number };
        const words = wordsOf(error, request.signal);
        const why = status === undefined ? words : `it answered ${status}: ${words.slice(0, 300)}`;
        throw gsUnavailable(url, why.replace(/\.$/, ""), { status });
      }
    },
  };
}

/** The error where the storage does not do what it is asked. */
export function gsUnavailable(url: ReplicaUrl, why: string, cause?: unknown): TenantryError {
  return new TenantryError("BACKUPS_UNAVAILABLE", `${url.shown} cannot be used: ${why}.`, {
    hint: "Check the URL, the credentials (GOOGLE_APPLICATION_CREDENTIALS, or the machine's), what they may do, and the network.",
    retryAfterSeconds: 10,
    cause,
  });
}

/** What Google, or the network, says. The URL of an upload is left out: by it anybody can go on with it. */
function wordsOf(error: unknown, signal: AbortSignal | undefined): string {
  if (signal?.aborted) return (signal.reason as Error).message;
  const { message, response } = error as Error & { readonly response?: { readonly data?: unknown } };
  // Where another thing was asked for than JSON, the client has not looked into it.
  const answered = typeof response?.data === "string" ? response.data : message;
  const said = /"message":\s*"([^"]*)"/.exec(answered)?.[1];
  return said ?? message.replace(/^request to \S+ failed, reason: /, "");
}

function emulatorUrl(host: string): string {
  return (host.includes("://") ? host : `http://${host}`).replace(/\/$/, "");
}
