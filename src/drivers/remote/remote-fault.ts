// Owns what can go wrong between here and a remote database, and how each of it is told.
// Does not decide what is tried again: that is `remote-calls.ts`.
import { TenantryError } from "../../tenantry-error.ts";

/**
 * `unreachable`: no answer, or none that makes sense. `refused`: our credentials. `throttled`: it has too much
 * to do. `missing`: there is no such database.
 */
export type RemoteFaultKind = "unreachable" | "refused" | "throttled" | "missing";

/** What a {@link RemoteFault} carries. */
export interface RemoteFaultDetails {
  /** Whether the remote may have done what it was asked for. @default false */
  readonly mayHaveRun?: boolean;
  /** Seconds that the remote asks to be left alone. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** A failure of the way to a database, not of its SQL. Drivers make a `TenantryError` of it. */
export class RemoteFault extends Error {
  readonly kind: RemoteFaultKind;
  readonly mayHaveRun: boolean;
  readonly retryAfterSeconds: number | undefined;

  /** @param what happened, as a clause: "answered 502", "did not answer within 5000 ms" */
  constructor(
    kind: RemoteFaultKind,
    what: string,
    { mayHaveRun = false, retryAfterSeconds, cause }: RemoteFaultDetails = {},
  ) {
    super(what, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.mayHaveRun = mayHaveRun;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const DEFAULT_RETRY_AFTER_SECONDS = 1;

/**
 * The error for a fault. Callers of the HTTP interface read it, so it says neither address nor credentials.
 *
 * @param writes whether the call could have written
 */
export function faultError(fault: RemoteFault, name: string, writes: boolean): TenantryError {
  const { kind, message, mayHaveRun, retryAfterSeconds = DEFAULT_RETRY_AFTER_SECONDS } = fault;
  const said = `The remote database of "${name}" ${message}.`;
  const cause = fault;
  switch (kind) {
    case "refused":
      return new TenantryError("DATABASE_REFUSED", said, {
        hint: "Look at the token that the driver is given: whether it is valid, and for this database.",
        cause,
      });
    case "missing":
      return new TenantryError("DATABASE_MISSING", said, {
        hint: "Restore it where it is kept, or delete the tenant.",
        cause,
      });
    case "throttled":
      return new TenantryError("DATABASE_THROTTLED", said, {
        hint: "Try again after Retry-After, or raise the limits of its plan.",
        retryAfterSeconds,
        cause,
      });
    case "unreachable":
      if (writes && mayHaveRun) {
        return new TenantryError(
          "OUTCOME_UNKNOWN",
          `${said} What was written is there as a whole, or not at all.`,
          {
            hint: "Read whether it was done before trying again.",
            cause,
          },
        );
      }
      return new TenantryError("DATABASE_UNREACHABLE", said, {
        hint: "Nothing was changed. Try again; if it stays so, look at the remote's status and the network.",
        retryAfterSeconds,
        cause,
      });
  }
}

/** Errors of Node's sockets that come before the first byte is sent. */
const NOT_SENT: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** The fault that a rejected `fetch()` stands for. */
export function faultOfFetch(error: unknown, timeoutMs: number): RemoteFault {
  const codes = codesOf(error);
  if (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError")) {
    return new RemoteFault("unreachable", `did not answer within ${timeoutMs} ms`, {
      mayHaveRun: true,
      cause: error,
    });
  }
  const [code = "no code"] = codes;
  const sent = !codes.some((one) => NOT_SENT.has(one));
  return new RemoteFault(
    "unreachable",
    sent ? `broke off the connection (${code})` : `cannot be reached (${code})`,
    { mayHaveRun: sent, cause: error },
  );
}

/** The fault that an answer's status stands for; undefined where the answer is for the client to read. */
export function faultOfStatus({
  status,
  headers,
}: Pick<Response, "status" | "headers">): RemoteFault | undefined {
  const retryAfterSeconds = retryAfterOf(headers.get("retry-after"));
  const details = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  if (status === 401 || status === 403)
    return new RemoteFault("refused", `answered ${status}: it refuses our credentials`);
  if (status === 404) return new RemoteFault("missing", "is not there: the answer was 404");
  if (status === 429) return new RemoteFault("throttled", "answered 429: too many requests", details);
  if (status >= 500) {
    return new RemoteFault("unreachable", `answered ${status}`, { mayHaveRun: true, ...details });
  }
  const type = headers.get("content-type") ?? "";
  // A proxy's page, or a login's: whoever it is, it is not the database.
  if (/\bhtml\b/i.test(type)) {
    return new RemoteFault("unreachable", `answered ${status} with a web page`, { mayHaveRun: true });
  }
  return undefined;
}

/** `Retry-After` in seconds, whether it was seconds or a date. */
function retryAfterOf(value: string | null): number | undefined {
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error; at instanceof Error && codes.length < 5; at = at.cause) {
    if ("code" in at && typeof at.code === "string") codes.push(at.code);
    if (at instanceof AggregateError) codes.push(...at.errors.flatMap(codesOf));
  }
  return codes;
}
