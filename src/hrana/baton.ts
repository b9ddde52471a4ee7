// Owns batons: what a client shows to go on with its stream. Signed, so that nobody can make one up.
// Does not know which streams there are.
import { base64Of, bytesOf } from "./value.ts";

/** Bytes of a key for batons. */
export const BATON_KEY_BYTES = 32;

const ID_BYTES = 12;
const PAYLOAD_BYTES = ID_BYTES + 4;
const SIGNATURE_BYTES = 32;
const HMAC = { name: "HMAC", hash: "SHA-256" };

/** What a baton says. */
export interface Baton {
  readonly streamId: string;
  /** Raised with every answer, so that each baton is good for one request. */
  readonly sequence: number;
}

/** Signs batons and reads them. */
export class Batons {
  readonly #key: Promise<Awaited<ReturnType<typeof crypto.subtle.importKey>>>;

  /** @param key {@link BATON_KEY_BYTES} bytes */
  constructor(key: Uint8Array<ArrayBuffer>) {
    this.#key = crypto.subtle.importKey("raw", key, HMAC, false, ["sign", "verify"]);
  }

  /** A new stream's id: nobody can guess it. */
  newStreamId(): string {
    return base64Of(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
  }

  /** @param owner whose stream it is: nobody else's request can use the baton */
  async sign({ streamId, sequence }: Baton, owner: string): Promise<string> {
    const payload = payloadOf(streamId, sequence);
    const signature = await crypto.subtle.sign("HMAC", await this.#key, signed(payload, owner));
    const bytes = new Uint8Array(PAYLOAD_BYTES + SIGNATURE_BYTES);
    bytes.set(payload);
    bytes.set(new Uint8Array(signature), PAYLOAD_BYTES);
    return base64Of(bytes);
  }

  /** What a baton of `owner`'s says; undefined where it was not signed here. */
  async read(baton: string, owner: string): Promise<Baton | undefined> {
    const bytes = baton.length < 100 ? bytesOf(baton) : undefined;
    if (bytes?.byteLength !== PAYLOAD_BYTES + SIGNATURE_BYTES) return undefined;
    const payload = bytes.slice(0, PAYLOAD_BYTES);
    const signature = bytes.slice(PAYLOAD_BYTES);
    const good = await crypto.subtle.verify("HMAC", await this.#key, signature, signed(payload, owner));
    if (!good) return undefined;
    const sequence = new DataView(payload.buffer).getUint32(ID_BYTES);
    return { streamId: base64Of(payload.subarray(0, ID_BYTES)), sequence };
  }
}

function payloadOf(streamId: string, sequence: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(PAYLOAD_BYTES);
  payload.set(bytesOf(streamId) ?? []);
  new DataView(payload.buffer).setUint32(ID_BYTES, sequence);
  return payload;
}

function signed(payload: Uint8Array, owner: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(owner);
  const bytes = new Uint8Array(payload.byteLength + name.byteLength);
  bytes.set(payload);
  bytes.set(name, payload.byteLength);
  return bytes;
}
