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
  /** Milliseconds until the end of an answer. */
  readonly requestTimeoutMs: number;
  /** Bytes of an answer. */
  readonly maxAnswerBytes: number;
}

/** The part of a `Response` that `@libsql/client` uses: the body has been read, within its limits. */
export interface LibsqlAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly body: null;
  json(): Promise<unknown>;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** `fetch` as `@libsql/client` takes it. It rejects with a `RemoteFault`, or `RESPONSE_TOO_LARGE`. */
export function libsqlFetch(options: LibsqlFetchOptions): (request: Request) => Promise<LibsqlAnswer> {
  const { token, renewable, requestTimeoutMs, maxAnswerBytes } = options;
  const send = async (request: Request, renew: boolean): Promise<LibsqlAnswer> => {
    const bearer = await token(renew);
    if (bearer !== undefined) request.headers.set("authorization", `Bearer ${bearer}`);
    const controller = new AbortController();
    // To the end of the body: a remote that stops in the midst of it is as slow as one that does not begin.
    const timer = setTimeout(
      () => controller.abort(new DOMException("The request took too long.", "TimeoutError")),
      requestTimeoutMs,
    );
    try {
      const response = await fetch(request, { signal: controller.signal });
      return answerOf(response, await textOf(response, maxAnswerBytes));
    } catch (error) {
      throw error instanceof TenantryError ? error : faultOfFetch(error, requestTimeoutMs);
    } finally {
      clearTimeout(timer);
    }
  };
  return async (request) => {
    const again = renewable ? request.clone() : undefined;
    let answer = await send(request, false);
    // Refused before anything was done: sending it once more repeats nothing.
    if (answer.status === 401 && again) answer = await send(again, true);
    const fault = faultOfStatus(answer);
    if (fault) throw fault;
    return answer;
  };
}

function answerOf({ ok, status, headers }: Response, text: string): LibsqlAnswer {
  return {
    ok,
    status,
    headers,
    body: null,
    json: async () => JSON.parse(text) as unknown,
    text: async () => text,
    arrayBuffer: async () => new TextEncoder().encode(text).buffer as ArrayBuffer,
  };
}

async function textOf(response: Response, maxBytes: number): Promise<string> {
  const { body, headers } = response;
  const length = headers.get("content-length");
  if (length !== null && Number(length) <= maxBytes) return response.text();
  if (body === null) return "";
  let text = "";
  let bytes = 0;
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function tooLarge(maxBytes: number): TenantryError {
  return new TenantryError("RESPONSE_TOO_LARGE", `The remote's answer is larger than ${maxBytes} bytes.`, {
    hint: "Name fewer columns, or add a LIMIT.",
  });
}
