// Owns Hrana over one WebSocket: who answers which message, in which order, and how much a socket may have at once.
// Knows no WebSocket library, no tenants and no credentials; the statements run where its streams do.
import { TenantryError } from "../tenantry-error.ts";
import type { HostedStream } from "./hosted-stream.ts";
import { type HranaError, hranaError, StatementError } from "./hrana-error.ts";
import { malformed } from "./malformed.ts";
import {
  HELLO_OK,
  helloError,
  type HranaVersion,
  int32,
  type JsonObject,
  parseClientMessage,
  requestType,
  responseError,
  responseOf,
  responseOk,
} from "./socket-message.ts";
import { batchWithSql, withSql } from "./socket-sql.ts";
import { SocketStream } from "./socket-stream.ts";
import { MAX_SOCKET_STORED_SQL, StoredSql } from "./stored-sql.ts";

/** Streams of one socket. */
export const MAX_SOCKET_STREAMS = 1_024;
/** Requests of one socket that run at once, besides those in transactions: others may wait for those. */
export const MAX_SOCKET_RUNNING = 16;
/** Requests of one socket that are not answered, and characters of them, from which on no more are read. */
export const MAX_SOCKET_UNANSWERED = 1_024;
export const MAX_SOCKET_UNANSWERED_CHARACTERS = 16 * 1024 * 1024;
/** Bytes of answers that the other side has not taken, from which on no request is begun and none read. */
export const MAX_SOCKET_UNSENT_BYTES = 1024 * 1024;
/** Characters of a cursor's entries in one answer, though more of them were asked for. */
const MAX_FETCH_CHARACTERS = 256 * 1024;

/** The protocol was broken: see RFC 6455. */
const CLOSE_PROTOCOL_ERROR = 1002;
const CLOSE_POLICY = 1008;

/** The socket itself. */
export interface SocketLink {
  /** Bytes that were sent and that the other side has not taken. */
  readonly unsentBytes: number;
  send(text: string): void;
  /** Reads no more messages, or goes on; one or two may still come. */
  pause(): void;
  resume(): void;
  /** @param reason of at most 123 bytes */
  close(code: number, reason: string): void;
}

/** What a socket is served by. */
export interface SocketServices {
  /** Checks credentials. @throws {TenantryError} where they are not good for anything */
  hello(jwt: string | null): Promise<void>;
  /** A stream for whoever said hello last. @throws {TenantryError} `TOO_MANY_REQUESTS` */
  openStream(): HostedStream;
  /** Takes room for stored SQL, or gives it back. @throws {TenantryError} `TOO_MANY_REQUESTS` */
  storeSql(characters: number): void;
  /** The socket is closed. */
  closed(): void;
  /** Words for an error that is nobody's but ours. */
  internalError(error: unknown): TenantryError;
}

/** One socket's side of the protocol. */
export class SocketSession {
  readonly #version: HranaVersion;
  readonly #link: SocketLink;
  readonly #services: SocketServices;
  readonly #streams = new Map<number, SocketStream>();
  readonly #cursors = new Map<number, SocketStream>();
  readonly #sql = new StoredSql(MAX_SOCKET_STORED_SQL);
  /** Streams whose next request waits for its turn. */
  readonly #inLine = new Set<SocketStream>();
  /** What came while credentials were being checked. */
  #held: string[] = [];
  #greeting = false;
  #greeted = false;
  #paused = false;
  #ended = false;
  #storedCharacters = 0;
  #running = 0;
  #unanswered = 0;
  #unansweredCharacters = 0;

  constructor(version: HranaVersion, link: SocketLink, services: SocketServices) {
    this.#version = version;
    this.#link = link;
    this.#services = services;
  }

  /** Whether somebody has shown good credentials. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** Whether nothing is being done, and no transaction is open. */
  get idle(): boolean {
    if (this.#unanswered > 0 || this.#greeting) return false;
    for (const { hosted } of this.#streams.values()) if (hosted.open) return false;
    return true;
  }

  /** A message has come. */
  message(text: string): void {
    if (this.#ended) return;
    if (this.#greeting) {
      this.#held.push(text);
      return;
    }
    try {
      const message = parseClientMessage(text);
      if (message.type === "hello") {
        void this.#hello(message.jwt);
      } else if (this.#greeted) {
        this.#request(message.id, message.request, text.length);
      } else {
        throw malformed("The first message is to be a hello.");
      }
    } catch (error) {
      if (!(error instanceof TenantryError)) throw error;
      return this.end(CLOSE_PROTOCOL_ERROR, error.message);
    }
    if (this.#full || this.#clogged) this.#pause();
  }

  /** The other side has taken something of what was sent. */
  drained(): void {
    if (this.#ended || this.#clogged) return;
    this.#begin();
    this.#readOn();
  }

  /** Ends the socket from this side. */
  end(code: number, reason: string): void {
    this.closed();
    this.#link.close(code, reason);
  }

  /** The socket is closed: rolls back what was not committed, and gives everything back. Idempotent. */
  closed(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#held = [];
    for (const stream of this.#streams.values()) stream.end();
    this.#streams.clear();
    this.#cursors.clear();
    this.#inLine.clear();
    this.#services.storeSql(-this.#storedCharacters);
    this.#services.closed();
  }

  async #hello(jwt: string | null): Promise<void> {
    this.#greeting = true;
    this.#pause();
    try {
      await this.#services.hello(jwt);
    } catch (error) {
      if (this.#ended) return;
      const { message, code } = this.#wordsOf(error);
      this.#link.send(helloError({ message, code }));
      return this.end(CLOSE_POLICY, code);
    } finally {
      this.#greeting = false;
    }
    if (this.#ended) return;
    this.#greeted = true;
    this.#link.send(HELLO_OK);
    const held = this.#held;
    this.#held = [];
    for (const text of held) this.message(text);
    this.#readOn();
  }

  #request(id: number, request: JsonObject, characters: number): void {
    try {
      const type = requestType(request, this.#version);
      switch (type) {
        case "open_stream":
          this.#openStream(int32(request["stream_id"], "stream_id"));
          return this.#link.send(responseOk(id, type));
        case "store_sql":
          this.#storeSql(int32(request["sql_id"], "sql_id"), request["sql"]);
          return this.#link.send(responseOk(id, type));
        case "close_sql":
          this.#closeSql(int32(request["sql_id"], "sql_id"));
          return this.#link.send(responseOk(id, type));
        case "close_stream": {
          const streamId = int32(request["stream_id"], "stream_id");
          const stream = this.#streams.get(streamId);
          // One that could not be opened is closed all the same.
          if (!stream) return this.#link.send(responseOk(id, type));
          return this.#enqueue(stream, id, characters, async () => {
            this.#forget(streamId, stream);
            return responseOk(id, type);
          });
        }
        case "fetch_cursor":
        case "close_cursor":
          return this.#cursorRequest(type, id, request, characters);
        default: {
          const stream = this.#streams.get(int32(request["stream_id"], "stream_id"));
          if (!stream) throw new StatementError("STREAM_NOT_FOUND", "The stream has not been opened");
          if (type === "open_cursor") return this.#openCursor(stream, id, request, characters);
          const asked = withSql(request, this.#sql);
          return this.#enqueue(stream, id, characters, async () => responseOf(id, await stream.run(asked)));
        }
      }
    } catch (error) {
      this.#link.send(responseError(id, this.#wordsOf(error)));
    }
  }

  #openStream(streamId: number): void {
    if (this.#streams.has(streamId)) {
      throw new StatementError("STREAM_EXISTS", `Stream ${streamId} is open already`);
    }
    if (this.#streams.size >= MAX_SOCKET_STREAMS) {
      throw new TenantryError(
        "TOO_MANY_REQUESTS",
        `More than ${MAX_SOCKET_STREAMS} streams of this socket are open.`,
      );
    }
    this.#streams.set(streamId, new SocketStream(this.#services.openStream()));
  }

  #forget(streamId: number, stream: SocketStream): void {
    stream.end();
    this.#streams.delete(streamId);
    if (stream.cursorId !== undefined) this.#cursors.delete(stream.cursorId);
  }

  #storeSql(sqlId: number, sql: unknown): void {
    if (typeof sql !== "string") throw malformed('"sql" is not a string.');
    this.#sql.store(sqlId, sql);
    try {
      this.#services.storeSql(sql.length);
    } catch (error) {
      this.#sql.close(sqlId);
      throw error;
    }
    this.#storedCharacters += sql.length;
  }

  #closeSql(sqlId: number): void {
    const characters = this.#sql.close(sqlId);
    this.#storedCharacters -= characters;
    this.#services.storeSql(-characters);
  }

  #openCursor(stream: SocketStream, id: number, request: JsonObject, characters: number): void {
    const cursorId = int32(request["cursor_id"], "cursor_id");
    if (this.#cursors.has(cursorId) || stream.cursorId !== undefined) {
      throw new StatementError("CURSOR_EXISTS", `Cursor ${cursorId}, or one of its stream, is open already`);
    }
    const batch = batchWithSql(request["batch"], this.#sql);
    this.#cursors.set(cursorId, stream);
    stream.cursorId = cursorId;
    this.#enqueue(stream, id, characters, async () => {
      await stream.openCursor(batch);
      return responseOk(id, "open_cursor");
    });
  }

  #cursorRequest(
    type: "fetch_cursor" | "close_cursor",
    id: number,
    request: JsonObject,
    characters: number,
  ): void {
    const cursorId = int32(request["cursor_id"], "cursor_id");
    const stream = this.#cursors.get(cursorId);
    if (type === "close_cursor") {
      if (!stream) return this.#link.send(responseOk(id, type));
      // What comes next on its stream may come at once.
      this.#cursors.delete(cursorId);
      stream.cursorId = undefined;
      return this.#enqueue(stream, id, characters, async () => {
        stream.closeCursor();
        return responseOk(id, type);
      });
    }
    if (!stream) throw new StatementError("CURSOR_NOT_FOUND", `Cursor ${cursorId} has not been opened`);
    const count = request["max_count"];
    if (typeof count !== "number" || !Number.isInteger(count) || count < 0) {
      throw malformed('"max_count" is not a number of entries.');
    }
    this.#enqueue(stream, id, characters, async () => {
      const { entries, done } = await stream.fetch(count, MAX_FETCH_CHARACTERS);
      return responseOk(id, type, `,"entries":[${entries.join(",")}],"done":${done}`);
    });
  }

  /** Has the requests of a stream answered in their order, beside those of the others. */
  #enqueue(stream: SocketStream, id: number, characters: number, answer: () => Promise<string>): void {
    this.#unanswered++;
    this.#unansweredCharacters += characters;
    stream.requests.push({ id, characters, answer });
    if (!stream.busy) this.#inLine.add(stream);
    this.#begin();
  }

  #begin(): void {
    for (const stream of this.#inLine) {
      if (this.#clogged) return;
      const open = stream.hosted.open;
      if (!open && this.#running >= MAX_SOCKET_RUNNING) continue;
      this.#inLine.delete(stream);
      void this.#answer(stream, open);
    }
  }

  async #answer(stream: SocketStream, open: boolean): Promise<void> {
    const { id, characters, answer } = stream.requests.shift()!;
    stream.busy = true;
    if (!open) this.#running++;
    let text: string;
    try {
      text = await answer();
    } catch (error) {
      text = responseError(id, this.#wordsOf(error));
    }
    stream.busy = false;
    if (!open) this.#running--;
    this.#unanswered--;
    this.#unansweredCharacters -= characters;
    if (this.#ended) return;
    this.#link.send(text);
    if (stream.requests.length > 0) this.#inLine.add(stream);
    if (this.#clogged) return this.#pause();
    this.#begin();
    this.#readOn();
  }

  get #full(): boolean {
    return (
      this.#unanswered >= MAX_SOCKET_UNANSWERED ||
      this.#unansweredCharacters >= MAX_SOCKET_UNANSWERED_CHARACTERS
    );
  }

  get #clogged(): boolean {
    return this.#link.unsentBytes > MAX_SOCKET_UNSENT_BYTES;
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#link.pause();
  }

  #readOn(): void {
    if (!this.#paused || this.#greeting || this.#full || this.#clogged) return;
    this.#paused = false;
    this.#link.resume();
  }

  #wordsOf(error: unknown): HranaError {
    if (error instanceof StatementError) return { message: error.message, code: error.code };
    const known =
      error instanceof TenantryError && error.code !== "INTERNAL"
        ? error
        : this.#services.internalError(error);
    const { message, code } = hranaError(known);
    // Clients show the message and nothing else.
    return { message: known.hint === undefined ? message : `${message} ${known.hint}`, code };
  }
}
