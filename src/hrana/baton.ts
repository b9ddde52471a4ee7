// Owns batons: what a client shows to go on with its stream. Signed, so that nobody can make one up.
// Does not know which streams there are.
import { TenantryError } from "../tenantry-error.ts";
import { base64Of, bytesOf } from "./value.ts";

/** Bytes of a key for batons. */
const BATON_KEY_BYTES = 32;

const ID_BYTES = 12;
const FLAG_AT = ID_BYTES + 4;
const PAYLOAD_BYTES = FLAG_AT + 1;
const SIGNATURE_BYTES = 32;
const HMAC = { name: "HMAC", hash: "SHA-256" };

/** A key for batons, as base64. Processes that serve the same streams' clients share one. */
export function newBatonKey(): string {
  return base64Of(crypto.getRandomValues(new Uint8Array(BATON_KEY_BYTES)));
}

/** What a baton says. */
export interface Baton {
  readonly streamId: string;
  /** Raised with every answer, so that each baton is good for one request. */
  readonly sequence: number;
  /** Whether its transaction was open then: others may be waiting for the end of it. */
  readonly open: boolean;
}

/** Signs batons and reads them. */
export class Batons {
  readonly #key: Promise<Awaited<ReturnType<typeof crypto.subtle.importKey>>>;

  /** @param key base64 of {@link BATON_KEY_BYTES} bytes @throws {TenantryError} `INVALID_OPTION` */
  constructor(key: string) {
    const bytes = bytesOf(key);
    if (bytes?.byteLength !== BATON_KEY_BYTES) {
      throw new TenantryError("INVALID_OPTION", `batonKey is not ${BATON_KEY_BYTES} bytes in base64.`, {
        hint: "Leave it out for a random one.",
      });
    }
    this.#key = crypto.subtle.importKey("raw", new Uint8Array(bytes), HMAC, false, ["sign", "verify"]);
  }

  /** A new stream's id: nobody can guess it. */
  newStreamId(): string {
    return base64Of(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
  }

  /** @param owner whose stream it is: nobody else's request can use the baton */
  async sign(baton: Baton, owner: string): Promise<string> {
    const payload = payloadOf(baton);
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
    return { streamId: base64Of(payload.subarray(0, ID_BYTES)), sequence, open: payload[FLAG_AT] === 1 };
  }
}

function payloadOf({ streamId, sequence, open }: Baton): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(PAYLOAD_BYTES);
  payload.set(bytesOf(streamId) ?? []);
  new DataView(payload.buffer).setUint32(ID_BYTES, sequence);
  payload[FLAG_AT] = open ? 1 : 0;
  return payload;
}

function signed(payload: Uint8Array, owner: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(owner);
  const bytes = new Uint8Array(payload.byteLength + name.byteLength);
  bytes.set(payload);
  bytes.set(name, payload.byteLength);
  return bytes;
}
