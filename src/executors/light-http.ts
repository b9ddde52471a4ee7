// Owns requests and answers as an executor needs them: plain objects with the few members that the routes use.
// The platform's own cost more than most statements do; `decisions/095` has the figures.

/** The members of `Headers` that the routes read. */
class LightHeaders {
  readonly #values: Readonly<Record<string, string>>;
  readonly #body: string | Uint8Array;

  constructor(values: Readonly<Record<string, string>>, body: string | Uint8Array) {
    this.#values = values;
    this.#body = body;
  }

  get(name: string): string | null {
    const key = name.toLowerCase();
    if (key === "content-length") return String(Buffer.byteLength(this.#body));
    return this.#values[key] ?? null;
  }

  forEach(fn: (value: string, name: string) => void): void {
    for (const [name, value] of Object.entries(this.#values)) fn(value, name);
  }
}

/** A request whose body is there already. */
export function lightRequest(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
): Request {
  const bytes = (): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(body as string));
  const text = async (): Promise<string> =>
    typeof body === "string" ? body : new TextDecoder().decode(body);
  const request = {
    method,
    url,
    headers: new LightHeaders(headers, body),
    body: body.length === 0 ? null : body,
    signal: NEVER,
    text,
    arrayBuffer: async () => bytes().buffer,
    clone: () => request,
    json: async () => JSON.parse(await text()) as unknown,
  };
  return request as unknown as Request;
}

const NEVER = new AbortController().signal;

/** What became of a request. */
export interface LightAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | ReadableStream<Uint8Array>;
}

type GivenHeaders = NonNullable<ResponseInit["headers"]>;

/** The members of `Response` that Hono and the routes use. An executor puts it in the platform's place. */
export class LightResponse {
  readonly status: number;
  readonly body: LightAnswer["body"] | null;
  readonly #given: GivenHeaders | undefined;
  #headers: Headers | undefined;

  constructor(body: unknown = null, init: ResponseInit = {}) {
    this.status = init.status ?? 200;
    this.body = body as LightAnswer["body"] | null;
    this.#given = init.headers;
  }

  get headers(): Headers {
    return (this.#headers ??= new Headers(this.#given));
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** The answer as an executor sends it. */
  toAnswer(): LightAnswer {
    const given = this.#headers ?? this.#given;
    return {
      status: this.status,
      headers: given === undefined ? {} : isPlain(given) ? given : Object.fromEntries(new Headers(given)),
      body: this.body ?? "",
    };
  }
}

function isPlain(headers: GivenHeaders): headers is Record<string, string> {
  return !(headers instanceof Headers) && !Array.isArray(headers);
}
