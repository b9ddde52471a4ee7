// Owns writing many rows as the protocol's JSON into bytes: of text, most of the time goes into what is built only to
// be encoded. value.ts writes the same as text.
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

/** Rows as a list without its brackets. */
export function rowsAsBytes(rows: readonly (readonly unknown[])[], columns: number): Uint8Array {
  const writer = new RowWriter(rows.length * columns * AROUND);
  for (const [index, row] of rows.entries()) writer.row(row, index > 0);
  return writer.bytes;
}

class RowWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(expectedBytes: number) {
    this.#bytes = new Uint8Array(expectedBytes);
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  row(row: readonly unknown[], follows: boolean): void {
    this.#makeRoom(AROUND);
    if (follows) this.#bytes[this.#length++] = COMMA;
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
        this.#ascii(numberText(value));
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
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
