// Owns writing many rows as the protocol's JSON into bytes: of text, most of the time goes into what is built only to
// be encoded. value.ts writes the same as text.
import type { RowSink } from "../drivers/driver.ts";
import { base64Of, numberText } from "./value.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const TEXT = encode('{"type":"text","value":');
const INTEGER = encode('{"type":"integer","value":"');
const FLOAT = encode('{"type":"float","value":');
const BLOB = encode('{"type":"blob","base64":"');
const NULL = encode('{"type":"null"}');

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const CLOSE_OBJECT = 0x7d;
const FIRST_PLAIN = 0x20;
const LAST_PLAIN = 0x7e;

/** Bytes around a value at most, and of a number. */
const AROUND = 64;
/** Bytes of UTF-8 for a UTF-16 unit at most. */
const UNIT_BYTES = 3;

/**
 * Rows that are kept as they are: a few are sooner written as text, and of many, reading some and then writing some
 * takes a seventh less than doing both for each in turn.
 */
const KEPT_ROWS = 64;
/** Bytes of a block: one that grew would be copied again and again, and take twice the memory while it is. */
const BLOCK_BYTES = 64 * 1024;

/** The rows of one result: a few are kept, many are written as they come. */
export class ResultRows implements RowSink {
  #kept: (readonly unknown[])[] = [];
  /** What was said of the size of those that are kept. */
  #said = 0;
  #writer: RowWriter | undefined;

  /** The rows, if they are few. */
  get few(): readonly (readonly unknown[])[] {
    return this.#kept;
  }

  /** A list of the rows without its brackets, one piece behind the other, if they are many. */
  get many(): readonly Uint8Array[] | undefined {
    if (!this.#writer) return undefined;
    this.#write(this.#writer);
    return this.#writer.pieces;
  }

  begin(): void {
    this.#kept = [];
    this.#said = 0;
    this.#writer = undefined;
  }

  row(row: readonly unknown[]): number {
    const bytes = bytesOfRow(row);
    this.#said += bytes;
    if (this.#kept.push(row) <= KEPT_ROWS) return bytes;
    // What was said before is made good by what is said now.
    return bytes + this.#write((this.#writer ??= new RowWriter()));
  }

  /** @returns how many bytes more than was said */
  #write(writer: RowWriter): number {
    const more = writer.rows(this.#kept) - this.#said;
    this.#kept = [];
    this.#said = 0;
    return more;
  }
}

/** Bytes that a row takes as text, about. */
function bytesOfRow(row: readonly unknown[]): number {
  let bytes = AROUND / 2;
  for (const value of row) {
    bytes += AROUND / 2;
    if (typeof value === "string") bytes += value.length;
    else if (value instanceof Uint8Array) bytes += value.byteLength * 1.5;
  }
  return bytes;
}

class RowWriter {
  readonly #full: Uint8Array[] = [];
  #fullBytes = 0;
  /** What is written to now, and how far. */
  #bytes = new Uint8Array(BLOCK_BYTES);
  #length = 0;
  /** The numbers of the rows that are being written, as a list in JSON, and how far it has been copied. */
  #numbers = "[]";
  #numbersAt = 1;

  get pieces(): readonly Uint8Array[] {
    return [...this.#full, this.#bytes.subarray(0, this.#length)];
  }

  /** @returns the bytes that were written */
  rows(rows: readonly (readonly unknown[])[]): number {
    const before = this.#fullBytes + this.#length;
    // All at once: each as text would also be kept by V8, which remembers the numbers it has made text of.
    const numbers: number[] = [];
    for (const row of rows) for (const value of row) if (typeof value === "number") numbers.push(value);
    this.#numbers = JSON.stringify(numbers);
    this.#numbersAt = 1;
    for (const row of rows) this.#row(row);
    return this.#fullBytes + this.#length - before;
  }

  #row(row: readonly unknown[]): void {
    this.#makeRoom(AROUND);
    if (this.#fullBytes + this.#length > 0) this.#bytes[this.#length++] = COMMA;
    this.#bytes[this.#length++] = OPEN_LIST;
    for (let index = 0; index < row.length; index++) {
      if (index > 0) this.#bytes[this.#length++] = COMMA;
      this.#value(row[index]);
    }
    this.#bytes[this.#length++] = CLOSE_LIST;
  }

  /** Leaves room for what comes around the next value. */
  #value(value: unknown): void {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "bigint": {
        const number = Number(value);
        this.#copy(INTEGER);
        this.#ascii(Number.isSafeInteger(number) ? `${number}` : `${value}`);
        this.#bytes[this.#length++] = QUOTE;
        break;
      }
      case "number":
        this.#copy(FLOAT);
        this.#number(value);
        break;
      default:
        if (!(value instanceof Uint8Array)) {
          this.#copy(NULL);
          return this.#makeRoom(AROUND);
        }
        this.#copy(BLOB);
        this.#ascii(base64Of(value));
        this.#bytes[this.#length++] = QUOTE;
    }
    this.#bytes[this.#length++] = CLOSE_OBJECT;
    this.#makeRoom(AROUND);
  }

  /** Leaves room for what comes around it. */
  #number(value: number): void {
    const text = this.#numbers;
    let at = this.#numbersAt;
    const bytes = this.#bytes;
    let length = this.#length;
    for (
      let unit = text.charCodeAt(at);
      unit !== COMMA && unit !== CLOSE_LIST;
      unit = text.charCodeAt(++at)
    ) {
      bytes[length++] = unit;
    }
    this.#numbersAt = at + 1;
    // Of infinities and of the negative zero JSON says something else than the protocol does.
    if (Number.isFinite(value) && value !== 0) this.#length = length;
    else this.#ascii(numberText(value));
  }

  #text(text: string): void {
    this.#copy(TEXT);
    this.#makeRoom(text.length + 2 * AROUND);
    const bytes = this.#bytes;
    const start = this.#length;
    let at = start;
    bytes[at++] = QUOTE;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit < FIRST_PLAIN || unit > LAST_PLAIN || unit === QUOTE || unit === BACKSLASH) {
        return this.#anyText(text);
      }
      bytes[at++] = unit;
    }
    bytes[at++] = QUOTE;
    bytes[at++] = CLOSE_OBJECT;
    this.#length = at;
  }

  /** Text that is more than printable ASCII. */
  #anyText(text: string): void {
    const json = JSON.stringify(text);
    this.#makeRoom(json.length * UNIT_BYTES + 2 * AROUND);
    this.#length += new TextEncoder().encodeInto(json, this.#bytes.subarray(this.#length)).written;
    this.#bytes[this.#length++] = CLOSE_OBJECT;
  }

  #ascii(text: string): void {
    this.#makeRoom(text.length + AROUND);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.#length = at;
  }

  /** A loop: for so few bytes a call of `set()` takes longer. */
  #copy(from: Uint8Array): void {
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < from.length; index++) bytes[at++] = from[index] as number;
    this.#length = at;
  }

  #makeRoom(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    this.#full.push(this.#bytes.subarray(0, this.#length));
    this.#fullBytes += this.#length;
    this.#bytes = new Uint8Array(Math.max(count, BLOCK_BYTES));
    this.#length = 0;
  }
}
