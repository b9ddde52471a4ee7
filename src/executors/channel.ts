// Owns how messages travel between the main process and an executor: in packets on a socket, so that those that
// gather while one is under way leave together. Does not know what they say.
import type { Duplex } from "node:stream";
import { ReceivedBytes } from "./received-bytes.ts";

/** A packet's first bytes: those of its text, those behind the text, the characters of JSON, the packets received. */
const PREFIX_BYTES = 16;
/**
 * Characters or bytes of bodies from which on a packet takes no more of them: what gathers meanwhile may be more
 * than one string can hold.
 */
export const FULL_PACKET = 4 * 1024 * 1024;

/** Bytes that are put behind a packet's text; more of them leave as they are, in the same system call. */
const COPIED_BYTES = 4 * 1024;

/**
 * Messages of the asking side's packets. Were it all that waits, each side would stand still while the other works;
 * and while a full packet waits, a second one may be under way.
 */
export const PACKET_MESSAGES = 16;
/** Milliseconds until what was received is acknowledged though there is nothing to say. */
const ACKNOWLEDGE_MS = 1;

/** What comes with a message; it arrives as it was sent, text as text. */
export type MessageBody = string | Uint8Array;

/** Options of a {@link Channel}. */
export interface ChannelOptions<Heard> {
  readonly onMessage: (message: Heard, body: MessageBody) => void;
  /**
   * `ask`: a packet leaves at once, and the next when the other side has received that one, or when it is full. So
   * packets grow with the load, and what the other side does not come to look at is still here: see
   * {@link Channel.unsent}.
   * `answer`: a packet leaves when it is flushed; what was received is acknowledged with it, or soon without.
   */
  readonly side: "ask" | "answer";
}

/** One end of a channel. */
export class Channel<Sent, Heard> {
  readonly #socket: Duplex;
  readonly #onMessage: (message: Heard, body: MessageBody) => void;
  readonly #asks: boolean;
  #messages: Sent[] = [];
  #bodies: MessageBody[] = [];
  #unacknowledged = 0;
  #received = 0;
  #turnEnds = false;
  #acknowledges = false;
  readonly #incoming = new ReceivedBytes();
  /** What the prefix of the packet that comes says of it. */
  #packet: PacketPrefix | undefined;

  constructor(socket: Duplex, { onMessage, side }: ChannelOptions<Heard>) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    this.#asks = side === "ask";
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  /** Messages that have not left. */
  get unsent(): readonly Sent[] {
    return this.#messages;
  }

  /**
   * Sends a message, which is made JSON, with its body; the answering side flushes when it has said enough.
   * @param urgent to leave, with all before it, though a packet is under way: others may be waiting for it
   */
  send(message: Sent, body: MessageBody = "", urgent = false): void {
    this.#messages.push(message);
    this.#bodies.push(body);
    if (this.#asks) this.#ask(urgent);
  }

  /** Sends now what would have waited. */
  flush(): void {
    while ((this.#messages.length > 0 || this.#received > 0) && this.#socket.writable) this.#sendPacket();
  }

  #ask(urgent = false): void {
    const full = this.#messages.length >= PACKET_MESSAGES;
    if (this.#messages.length > 0 && this.#unacknowledged < (full || urgent ? 2 : 1)) this.#sendPacket();
  }

  #sendPacket(): void {
    if (!this.#socket.writable) return;
    /** Of each message's body the length: of text from 0, of bytes as -1 and downwards. */
    const lengths: number[] = [];
    const parts: Uint8Array[] = [];
    let bodies = "";
    let bytes = 0;
    for (const body of this.#bodies) {
      if (this.#asks && lengths.length === PACKET_MESSAGES) break;
      if (bodies.length + bytes + body.length > FULL_PACKET && lengths.length > 0) break;
      if (typeof body === "string") {
        lengths.push(body.length);
        if (body !== "") bodies += body;
      } else {
        lengths.push(-1 - body.byteLength);
        parts.push(body);
        bytes += body.byteLength;
      }
    }
    const json = JSON.stringify([lengths, this.#take(lengths.length)]);
    const text = json + bodies;
    const textBytes = Buffer.byteLength(text);
    const packet = Buffer.allocUnsafe(PREFIX_BYTES + textBytes);
    packet.writeUInt32LE(textBytes, 0);
    packet.writeUInt32LE(bytes, 4);
    packet.writeUInt32LE(json.length, 8);
    packet.writeUInt32LE(this.#received, 12);
    packet.write(text, PREFIX_BYTES);
    this.#received = 0;
    this.#unacknowledged++;
    if (bytes <= COPIED_BYTES) {
      this.#socket.write(parts.length === 0 ? packet : Buffer.concat([packet, ...parts]));
      return;
    }
    this.#socket.cork();
    this.#socket.write(packet);
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  /** Takes the first messages out, with their bodies. */
  #take(count: number): readonly Sent[] {
    const messages = this.#messages;
    const bodies = this.#bodies;
    this.#messages = count === messages.length ? [] : messages.slice(count);
    this.#bodies = count === bodies.length ? [] : bodies.slice(count);
    return count === messages.length ? messages : messages.slice(0, count);
  }

  /** Flushes at the end of this turn of the event loop, with what is said until then. */
  flushLater(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#turnEnds = false;
    this.flush();
  };

  #acknowledgeSoon(): void {
    if (this.#acknowledges) return;
    this.#acknowledges = true;
    setTimeout(this.#acknowledge, ACKNOWLEDGE_MS);
  }

  readonly #acknowledge = (): void => {
    this.#acknowledges = false;
    this.flush();
  };

  #read(chunk: Buffer): void {
    const incoming = this.#incoming;
    incoming.push(chunk);
    for (;;) {
      if (!this.#packet) {
        if (incoming.length < PREFIX_BYTES) return;
        this.#packet = packetPrefix(incoming.borrow(PREFIX_BYTES));
      }
      const packet = this.#packet;
      if (incoming.length < packet.textBytes + packet.bytes) return;
      this.#packet = undefined;
      this.#open(packet);
    }
  }

  #open({ textBytes, jsonCharacters, received }: PacketPrefix): void {
    const text = this.#incoming.borrow(textBytes).toString();
    if (this.#asks) {
      this.#unacknowledged -= received;
      // Before anything is done with the answers: the other side has something to do meanwhile.
      this.#ask();
    } else {
      this.#received++;
      this.#acknowledgeSoon();
    }
    let textAt = jsonCharacters;
    const [lengths, messages] = JSON.parse(text.slice(0, textAt)) as [number[], Heard[]];
    for (const [index, message] of messages.entries()) {
      const length = lengths[index]!;
      if (length >= 0) {
        this.#onMessage(message, length === 0 ? "" : text.slice(textAt, textAt + length));
        textAt += length;
      } else {
        this.#onMessage(message, this.#incoming.take(-1 - length));
      }
    }
  }
}

/** What comes before a packet. */
interface PacketPrefix {
  readonly textBytes: number;
  readonly bytes: number;
  readonly jsonCharacters: number;
  /** Packets that the other side has received. */
  readonly received: number;
}

function packetPrefix(bytes: Buffer): PacketPrefix {
  return {
    textBytes: bytes.readUInt32LE(0),
    bytes: bytes.readUInt32LE(4),
    jsonCharacters: bytes.readUInt32LE(8),
    received: bytes.readUInt32LE(12),
  };
}
