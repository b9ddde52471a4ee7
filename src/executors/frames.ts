// Owns how messages travel between the main process and an executor: length-prefixed frames on a socket, those
// of a turn in one write. Does not know what they say.
import type { Duplex } from "node:stream";

/** Bytes before a frame's header: the lengths of header and body. */
const PREFIX_BYTES = 8;

/** A frame's body: text as UTF-8, or bytes as they are. */
export type FrameBody = string | Uint8Array;

interface Frame {
  readonly header: string;
  readonly body: FrameBody;
}

/** Writes frames. Those of one turn of the event loop leave together; the first of a quiet turn leaves at once. */
export class FrameWriter {
  readonly #socket: Duplex;
  #waiting: Frame[] = [];
  #turnEnds = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Sends `header`, which is made JSON, with `body`. @param later whether more is likely to follow in this turn */
  send(header: unknown, body: FrameBody, later: boolean): void {
    this.#waiting.push({ header: JSON.stringify(header), body });
    if (!later && !this.#turnEnds) {
      this.flush();
    } else if (!this.#turnEnds) {
      this.#turnEnds = true;
      setImmediate(this.#endTurn);
    }
  }

  readonly #endTurn = (): void => {
    this.#turnEnds = false;
    this.flush();
  };

  /** Sends now what has been kept for the end of the turn. */
  flush(): void {
    const frames = this.#waiting;
    if (frames.length === 0 || !this.#socket.writable) return;
    this.#waiting = [];
    let size = 0;
    const lengths = frames.map(({ header, body }) => {
      const headerBytes = Buffer.byteLength(header);
      const bodyBytes = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
      size += PREFIX_BYTES + headerBytes + bodyBytes;
      return { headerBytes, bodyBytes };
    });
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    for (const [index, { header, body }] of frames.entries()) {
      const { headerBytes, bodyBytes } = lengths[index]!;
      at = bytes.writeUInt32LE(headerBytes, at);
      at = bytes.writeUInt32LE(bodyBytes, at);
      at += bytes.write(header, at);
      if (typeof body === "string") bytes.write(body, at);
      else bytes.set(body, at);
      at += bodyBytes;
    }
    this.#socket.write(bytes);
  }
}

/** Calls `onFrame` for each whole frame among the chunks it is fed. The body is a view on them. */
export class FrameReader {
  readonly #onFrame: (header: unknown, body: Uint8Array) => void;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes that must be there before another look makes sense. */
  #needed = PREFIX_BYTES;

  constructor(onFrame: (header: unknown, body: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes < this.#needed) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bytes);
    let at = 0;
    for (;;) {
      this.#needed = PREFIX_BYTES;
      if (bytes.byteLength - at < PREFIX_BYTES) break;
      const headerEnd = at + PREFIX_BYTES + bytes.readUInt32LE(at);
      const end = headerEnd + bytes.readUInt32LE(at + 4);
      this.#needed = end - at;
      if (bytes.byteLength < end) break;
      const header: unknown = JSON.parse(bytes.toString("utf8", at + PREFIX_BYTES, headerEnd));
      this.#onFrame(header, bytes.subarray(headerEnd, end));
      at = end;
    }
    const rest = bytes.subarray(at);
    this.#chunks = rest.byteLength > 0 ? [rest] : [];
    this.#bytes = rest.byteLength;
  }
}
