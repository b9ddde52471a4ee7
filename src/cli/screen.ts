// Owns what the command line writes: results to stdout, everything else to stderr, each in colour where the
// stream shows it. Does not word errors (report-error.ts) and does not lay out tables (text-table.ts).
import { styleText } from "node:util";

/** Colours and the like, as `styleText` names them. */
export type Style = Parameters<typeof styleText>[0];

/** The two output streams. A reader that goes away (`| head`) ends the writing, not the command. */
export class Screen {
  /** Whether results are to be JSON. */
  readonly json: boolean;
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;
  #gone = false;

  constructor(json: boolean, stdout = process.stdout, stderr = process.stderr) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
    for (const stream of [stdout, stderr]) {
      stream.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code !== "EPIPE") throw error;
        if (stream === stdout) this.#gone = true;
      });
    }
  }

  /** Whether nobody reads stdout any more: what takes long to print can stop. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Whether a person reads stdout. */
  get interactive(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** Whether a person reads stderr. */
  get watched(): boolean {
    return this.#stderr.isTTY === true;
  }

  /** Columns of the terminal; no bound where there is none. */
  get width(): number {
    return this.interactive ? this.#stdout.columns || 80 : Number.POSITIVE_INFINITY;
  }

  /** Writes a piece of the result as it is; fulfils when there is room for more. */
  write(data: string | Uint8Array): Promise<void> {
    if (this.#gone) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    // An error is the stream's, and has been heard there.
    this.#stdout.write(data, () => resolve());
    return promise;
  }

  /** Writes a line of the result. Await it where there are many. */
  print(line: string): Promise<void> {
    return this.write(`${line}\n`);
  }

  /** Writes a value as JSON: on one line, or, to a terminal, on several. */
  printJson(value: unknown): Promise<void> {
    return this.print(JSON.stringify(value, undefined, this.interactive ? 2 : undefined));
  }

  /** Tells a person something that is no part of the result. */
  note(line: string): void {
    if (!this.json) this.#stderr.write(`${line}\n`);
  }

  /** Writes a line to stderr, whatever is asked for. */
  complain(line: string): void {
    this.#stderr.write(`${line}\n`);
  }

  /** `text` for stdout. */
  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stdout });
  }

  /** `text` for stderr. */
  noteStyle(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stderr });
  }
}
