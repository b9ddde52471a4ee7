// Owns libSQL's requests over HTTP: their token, which is asked for again when it is refused, their time limit,
// and telling an answer from something else. Reads no SQL.
import { TenantryError } from "../../tenantry-error.ts";
import { faultOfFetch, faultOfStatus } from "../remote/remote-fault.ts";

/** Gives the token of one database; `renew` where the last one was refused. */
export type LibsqlToken = (renew: boolean) => Promise<string | undefined>;

/** What {@link libsqlFetch} is made with. */
export interface LibsqlFetchOptions {
  readonly token: LibsqlToken;
  /** Whether asking for the token again may give another one. */
  readonly renewable: boolean;
  /** Milliseconds until the head of an answer. */
  readonly requestTimeoutMs: number;
  /** Bytes of an answer. */
  readonly maxAnswerBytes: number;
}

/** `fetch` as `@libsql/client` takes it. It rejects with a `RemoteFault`, or `RESPONSE_TOO_LARGE`. */
export function libsqlFetch(options: LibsqlFetchOptions): (request: Request) => Promise<Response> {
  const { token, renewable, requestTimeoutMs, maxAnswerBytes } = options;
  const send = async (request: Request, renew: boolean): Promise<Response> => {
    const bearer = await token(renew);
    if (bearer !== undefined) request.headers.set("authorization", `Bearer ${bearer}`);
    try {
      return await fetch(request, { signal: AbortSignal.timeout(requestTimeoutMs) });
    } catch (error) {
      throw faultOfFetch(error, requestTimeoutMs);
    }
  };
  return async (request) => {
    const again = renewable ? request.clone() : undefined;
    let response = await send(request, false);
    if (response.status === 401 && again) {
      await response.body?.cancel();
      // Refused before anything was done: sending it once more repeats nothing.
      response = await send(again, true);
    }
    const fault = faultOfStatus(response);
    if (fault) {
      await response.body?.cancel();
      throw fault;
    }
    return within(response, maxAnswerBytes);
  };
}

/** The answer, which fails once it is larger than `maxBytes`. */
async function within(response: Response, maxBytes: number): Promise<Response> {
  const length = response.headers.get("content-length");
  if (length !== null) {
    if (Number(length) <= maxBytes) return response;
    await response.body?.cancel();
    throw tooLarge(maxBytes);
  }
  let bytes = 0;
  const counted = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        if (bytes > maxBytes) controller.error(tooLarge(maxBytes));
        else controller.enqueue(chunk);
      },
    }),
  );
  return new Response(counted, response);
}

function tooLarge(maxBytes: number): TenantryError {
  return new TenantryError("RESPONSE_TOO_LARGE", `The remote's answer is larger than ${maxBytes} bytes.`, {
    hint: "Name fewer columns, or add a LIMIT.",
  });
}
