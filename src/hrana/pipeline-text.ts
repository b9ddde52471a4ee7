// Owns reading a pipeline's text straight into its requests, where it is written as libSQL's clients write it. On the
// way through JSON.parse a step becomes seven objects, which takes as long as SQLite does to run it (decisions/007).
// Leaves whatever is unusual to that, and does not say what is wrong with anything.
import type { Batch, BatchCond, PipelineBody, SqlReference, Stmt, StreamRequest } from "./stream-request.ts";
import { decodeInteger, type HranaValue } from "./value.ts";

/** How deep conditions may lie in each other here; deeper ones are unusual. */
const MAX_CONDITION_DEPTH = 10;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const FIRST_PRINTABLE = 0x20;
/** `e` and `E`, but for the bit that tells them apart. */
const EXPONENT = 0x45;
const LOWER_CASE = 0x20;

/** Digits of a whole number that is one for certain. */
const SAFE_DIGITS = 9;

/** Arguments of a step that is read as one; one with more is read piece by piece. */
const MAX_STEP_ARGUMENTS = 32;

const INDEX = String.raw`(0|[1-9]\d{0,${SAFE_DIGITS - 1}})`;
const PLAIN_TEXT = String.raw`"([^"\\\x00-\x1f]*)"`;
const NUMBER = String.raw`(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)`;
const VALUE = String.raw`\{"type":(?:"text","value":${PLAIN_TEXT}|"float","value":${NUMBER}|"integer","value":"([-+]?\d{1,19})"|"null")\}`;
const CONDITION = String.raw`"condition":\{"type":"ok","step":${INDEX}\}`;
/** Where in a match the first value's groups are: behind the condition, the number of the SQL and its text. */
const FIRST_VALUE = 4;
const GROUPS_OF_VALUE = 3;

const NOTHING: readonly never[] = [];
const UNUSUAL = new Error("unusual");

/**
 * What `parsePipeline()` makes of `text` as JSON; undefined where it is written in any other way than usual, also
 * where it is wrong.
 */
export function readPipeline(text: string): PipelineBody | undefined {
  try {
    return new PipelineReader(text).read();
  } catch (error) {
    if (error === UNUSUAL) return undefined;
    throw error;
  }
}

class PipelineReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): PipelineBody {
    let baton: string | null = null;
    if (this.#skip('{"baton":')) {
      if (!this.#skip("null")) baton = this.#ownString();
      this.#expect(',"requests":[');
    } else {
      this.#expect('{"requests":[');
    }
    const requests = this.#list(() => this.#request());
    this.#expect("}");
    if (this.#at !== this.#text.length) throw UNUSUAL;
    return { baton, requests };
  }

  #request(): StreamRequest {
    if (this.#skip('{"type":"execute","stmt":')) {
      const stmt = this.#stmt();
      this.#expect("}");
      return { type: "execute", stmt };
    }
    if (this.#skip('{"type":"close"}')) return { type: "close" };
    if (this.#skip('{"type":"store_sql","sql_id":')) {
      const sqlId = this.#index();
      this.#expect(',"sql":');
      const sql = this.#ownString();
      this.#expect("}");
      return { type: "store_sql", sqlId, sql };
    }
    this.#expect('{"type":"batch","batch":{"steps":[');
    const batch = this.#steps();
    this.#expect("}}");
    return { type: "batch", batch };
  }

  /** The steps of a batch, from behind their bracket to behind its end. */
  #steps(): Batch {
    const steps: Batch[number][] = [];
    if (this.#skip("]")) return steps;
    let last: Stmt | undefined;
    do {
      const step = (last && this.#stepLike(last, steps.length)) ?? this.#step(steps.length);
      last = step.stmt;
      steps.push(step);
    } while (this.#skip(","));
    this.#expect("]");
    return steps;
  }

  /**
   * A step with as many arguments as the one before it, most plainly written. The engine of regular expressions takes
   * half the time for it that its pieces take here.
   */
  #stepLike({ sql: sqlBefore, args: { length } }: Stmt, before: number): Batch[number] | undefined {
    if (length > MAX_STEP_ARGUMENTS) return undefined;
    const pattern = (stepPatterns[length] ??= stepPattern(length));
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (!match) return undefined;
    const behindValues = FIRST_VALUE + length * GROUPS_OF_VALUE;
    const [first, second] = [match[1], match[behindValues + 1]];
    if (first !== undefined && second !== undefined) throw UNUSUAL;
    const after = first ?? second;
    const step = after === undefined ? undefined : Number(after);
    if (step !== undefined && step >= before) throw UNUSUAL;
    // As long as it will be: one that grows takes room for seventeen.
    const args = new Array<HranaValue>(length); // oxlint-disable-line unicorn/no-new-array -- is a length
    for (let n = 0, at = FIRST_VALUE; n < length; n++, at += GROUPS_OF_VALUE) {
      args[n] = match[at] ?? valueOf(match[at + 1], match[at + 2]);
    }
    this.#at = pattern.lastIndex;
    const [sqlId, sql] = [match[2], match[3]];
    return {
      stmt: {
        sql: sqlId !== undefined ? Number(sqlId) : sql === sqlBefore ? sqlBefore : ownCopy(`"${sql}"`),
        args,
        namedArgs: NOTHING,
        wantRows: match[behindValues] === undefined,
      },
      condition: step === undefined ? undefined : { type: "ok", step },
    };
  }

  #step(before: number): Batch[number] {
    let condition: BatchCond | undefined;
    let stmt: Stmt | undefined;
    this.#expect("{");
    do {
      if (!stmt && this.#skip('"stmt":')) stmt = this.#stmt();
      else if (!condition && this.#skip('"condition":')) condition = this.#condition(before, 0);
      else throw UNUSUAL;
    } while (this.#skip(","));
    this.#expect("}");
    if (!stmt) throw UNUSUAL;
    return { stmt, condition };
  }

  #stmt(): Stmt {
    let sql: SqlReference;
    if (this.#skip('{"sql_id":')) {
      sql = this.#index();
    } else {
      this.#expect('{"sql":');
      sql = this.#ownString();
    }
    const args = this.#skip(',"args":[') ? this.#list(() => this.#value()) : NOTHING;
    // Arguments with names are unusual.
    this.#skip(',"named_args":[]');
    let wantRows = true;
    if (this.#skip(',"want_rows":') && !this.#skip("true")) {
      this.#expect("false");
      wantRows = false;
    }
    this.#expect("}");
    return { sql, args, namedArgs: NOTHING, wantRows };
  }

  #value(): HranaValue {
    let value: HranaValue;
    if (this.#skip('{"type":"text","value":')) value = this.#string();
    else if (this.#skip('{"type":"float","value":')) value = this.#number();
    else if (this.#skip('{"type":"integer","value":')) value = this.#integer();
    else {
      this.#expect('{"type":"null"');
      value = null;
    }
    this.#expect("}");
    return value;
  }

  #condition(before: number, depth: number): BatchCond {
    if (depth > MAX_CONDITION_DEPTH) throw UNUSUAL;
    let condition: BatchCond;
    if (this.#skip('{"type":"ok","step":')) {
      condition = { type: "ok", step: this.#stepBefore(before) };
    } else if (this.#skip('{"type":"is_autocommit"')) {
      condition = { type: "is_autocommit" };
    } else if (this.#skip('{"type":"not","cond":')) {
      condition = { type: "not", cond: this.#condition(before, depth + 1) };
    } else if (this.#skip('{"type":"error","step":')) {
      condition = { type: "error", step: this.#stepBefore(before) };
    } else if (this.#skip('{"type":"and","conds":[')) {
      condition = { type: "and", conds: this.#list(() => this.#condition(before, depth + 1)) };
    } else {
      this.#expect('{"type":"or","conds":[');
      condition = { type: "or", conds: this.#list(() => this.#condition(before, depth + 1)) };
    }
    this.#expect("}");
    return condition;
  }

  #stepBefore(before: number): number {
    const step = this.#index();
    if (step >= before) throw UNUSUAL;
    return step;
  }

  /** A string that may be kept. */
  #ownString(): string {
    const start = this.#at;
    this.#string();
    return ownCopy(this.#text.slice(start, this.#at));
  }

  #string(): string {
    const text = this.#text;
    if (text.charCodeAt(this.#at) !== QUOTE) throw UNUSUAL;
    const start = this.#at + 1;
    for (let at = start; ; at++) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) {
        this.#at = at + 1;
        return text.slice(start, at);
      }
      // Not a number behind the end of the text.
      if (!(unit >= FIRST_PRINTABLE)) throw UNUSUAL;
      if (unit === BACKSLASH) return this.#escapedString(at);
    }
  }

  /** @param at where its first backslash is */
  #escapedString(at: number): string {
    const text = this.#text;
    let end = at;
    for (let unit = BACKSLASH; unit !== QUOTE; unit = text.charCodeAt(end)) {
      if (Number.isNaN(unit)) throw UNUSUAL;
      end += unit === BACKSLASH ? 2 : 1;
    }
    const start = this.#at;
    this.#at = end + 1;
    try {
      return JSON.parse(text.slice(start, this.#at)) as string;
    } catch {
      // What is wrong with it is said by whoever reads the whole text.
      throw UNUSUAL;
    }
  }

  #integer(): bigint {
    return integerOf(this.#string());
  }

  /** A number of a request or a step. */
  #index(): number {
    const start = this.#at;
    const digits = this.#digits();
    if (digits > SAFE_DIGITS || (digits > 1 && this.#text.charCodeAt(start) === ZERO)) throw UNUSUAL;
    return Number(this.#text.slice(start, this.#at));
  }

  #number(): number {
    const text = this.#text;
    const start = this.#at;
    if (text.charCodeAt(this.#at) === MINUS) this.#at++;
    const first = text.charCodeAt(this.#at);
    if (this.#digits() > 1 && first === ZERO) throw UNUSUAL;
    if (text.charCodeAt(this.#at) === POINT) {
      this.#at++;
      this.#digits();
    }
    if ((text.charCodeAt(this.#at) & ~LOWER_CASE) === EXPONENT) {
      const sign = text.charCodeAt(++this.#at);
      if (sign === MINUS || sign === PLUS) this.#at++;
      this.#digits();
    }
    return Number(text.slice(start, this.#at));
  }

  /** Goes past digits. @returns how many they were, one at least */
  #digits(): number {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    for (let unit = text.charCodeAt(at); unit >= ZERO && unit <= NINE; unit = text.charCodeAt(at)) at++;
    if (at === start) throw UNUSUAL;
    this.#at = at;
    return at - start;
  }

  /** A list, from behind its bracket to behind its end. */
  #list<T>(item: () => T): T[] {
    const items: T[] = [];
    if (this.#skip("]")) return items;
    do items.push(item());
    while (this.#skip(","));
    this.#expect("]");
    return items;
  }

  #skip(what: string): boolean {
    if (!this.#text.startsWith(what, this.#at)) return false;
    this.#at += what.length;
    return true;
  }

  #expect(what: string): void {
    if (!this.#skip(what)) throw UNUSUAL;
  }
}

/** By how many arguments a step has. */
const stepPatterns: RegExp[] = [];

/** A step as the clients write it, its condition on either side. */
function stepPattern(args: number): RegExp {
  const values = Array.from({ length: args }, () => VALUE).join(",");
  const stmt = String.raw`"stmt":\{(?:"sql_id":${INDEX}|"sql":${PLAIN_TEXT}),"args":\[${values}\](?:,"named_args":\[\])?(?:,"want_rows":(?:true|(false)))?\}`;
  return new RegExp(String.raw`\{(?:${CONDITION},)?${stmt}(?:,${CONDITION})?\}`, "y");
}

/** A value that is no text: null where it is neither of the two. */
function valueOf(float: string | undefined, integer: string | undefined): HranaValue {
  if (float !== undefined) return Number(float);
  return integer === undefined ? null : integerOf(integer);
}

function integerOf(text: string): bigint {
  try {
    return decodeInteger(text);
  } catch {
    // What is wrong with it is said by whoever reads the whole text.
    throw UNUSUAL;
  }
}

/** A string of its own, which does not keep the text in memory that it was cut from. */
function ownCopy(json: string): string {
  return JSON.parse(json) as string;
}
