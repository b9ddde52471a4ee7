// Owns the list of a batch's results. Most are those of statements without rows, and are written into bytes: as text
// they would be put together, measured and encoded one after the other. result-text.ts writes the same as text.
import { type JsonText, lengthOf } from "./json-text.ts";
import { affectedRows, type Done, lastRowId, resultText, wholeMicros } from "./result-text.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const BEGIN = encode('{"cols":[],"rows":[],"affected_row_count":');
const ROW_ID = encode(',"last_insert_rowid":');
const ROWS_READ = encode(',"rows_read":');
const ROWS_WRITTEN = encode(',"rows_written":');
const DURATION = encode(',"query_duration_ms":');
const NULL = encode("null");

const COMMA = 0x2c;
const POINT = 0x2e;
const QUOTE = 0x22;
const ZERO = 0x30;
const CLOSE_OBJECT = 0x7d;

/** Bytes of a result without rows at most. */
const RESULT_BYTES = 256;
/** Results for which there is room at once. */
const ROOM_FOR = 128;
/** Bytes of UTF-8 for a UTF-16 unit at most. */
const UNIT_BYTES = 3;
/** Characters of a result that is copied; a longer one stays the text that it is. */
const COPIED_CHARACTERS = 4 * 1024;
const NO_BYTES = new Uint8Array();

/** The results of a batch's steps, which come in order. */
export class StepResults {
  readonly #steps: number;
  /** What is written, but for the bytes below. */
  readonly #pieces: (string | Uint8Array)[] = [];
  #bytes = NO_BYTES;
  #at = 0;
  /** Steps that are in it. */
  #count = 0;

  /** @param steps how many there are in all */
  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Adds the result of a step; those before it that have none were not run. @returns its bytes, or characters */
  add(step: number, done: Done): number {
    this.#skipTo(step);
    if (done.result.columns.length === 0) return this.#withoutRows(done);
    const text = resultText(done);
    if (typeof text === "string" && text.length <= COPIED_CHARACTERS) {
      this.#begin(text.length * UNIT_BYTES);
      this.#at += new TextEncoder().encodeInto(text, this.#bytes.subarray(this.#at)).written;
    } else {
      this.#begin();
      this.#flush();
      this.#pieces.push(...(typeof text === "string" ? [text] : text));
    }
    return lengthOf(text);
  }

  /** All of them, without the list's brackets. */
  end(): JsonText {
    this.#skipTo(this.#steps);
    this.#flush();
    return this.#pieces;
  }

  #skipTo(step: number): void {
    while (this.#count < step) {
      this.#begin();
      this.#copy(NULL);
    }
  }

  #withoutRows(done: Done): number {
    const { meta } = done.result;
    this.#begin();
    const before = this.#at;
    this.#copy(BEGIN);
    this.#number(affectedRows(done));
    this.#copy(ROW_ID);
    const rowId = lastRowId(done);
    if (rowId === null) {
      this.#copy(NULL);
    } else {
      this.#bytes[this.#at++] = QUOTE;
      this.#number(rowId);
      this.#bytes[this.#at++] = QUOTE;
    }
    this.#copy(ROWS_READ);
    this.#number(meta.rows_read);
    this.#copy(ROWS_WRITTEN);
    this.#number(meta.rows_written);
    this.#copy(DURATION);
    this.#thousandths(wholeMicros(meta.duration));
    this.#bytes[this.#at++] = CLOSE_OBJECT;
    return this.#at - before;
  }

  /** Makes room for one more. */
  #begin(bytes = RESULT_BYTES): void {
    if (this.#at + 1 + bytes > this.#bytes.length) {
      this.#flush();
      const left = Math.min(this.#steps - this.#count, ROOM_FOR);
      this.#bytes = new Uint8Array(Math.max(1 + bytes, RESULT_BYTES * left));
    }
    if (this.#count++ > 0) this.#bytes[this.#at++] = COMMA;
  }

  /** What is written becomes a piece, which has its buffer to itself. */
  #flush(): void {
    if (this.#at === 0) return;
    this.#pieces.push(this.#bytes.subarray(0, this.#at));
    this.#bytes = NO_BYTES;
    this.#at = 0;
  }

  #copy(from: Uint8Array): void {
    this.#bytes.set(from, this.#at);
    this.#at += from.length;
  }

  #number(value: number | bigint): void {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) this.#digits(value, 1);
    else for (const character of String(value)) this.#bytes[this.#at++] = character.charCodeAt(0);
  }

  #thousandths(value: number): void {
    const whole = Math.floor(value / 1000);
    this.#digits(whole, 1);
    this.#bytes[this.#at++] = POINT;
    this.#digits(value - whole * 1000, 3);
  }

  /** @param least with as many zeros before it as it takes to be so many digits */
  #digits(value: number, least: number): void {
    let digits = least;
    for (let next = 10 ** least; next <= value; next *= 10) digits++;
    this.#at += digits;
    let rest = value;
    for (let at = this.#at - 1; at >= this.#at - digits; at--) {
      const tens = Math.floor(rest / 10);
      this.#bytes[at] = ZERO + (rest - tens * 10);
      rest = tens;
    }
  }
}
