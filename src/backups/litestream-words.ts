// Owns making one line of what Litestream says is wrong, for people: an error of Azure's is a page of its own.
// Decides nothing by it.

/** What was asked, how it was answered, and a code, between lines of dashes; then all of it once more as XML. */
const PAGE = /^(?<asked>.*)\n-+\nRESPONSE \d+: (?<answer>.*)\nERROR CODE: (?<code>.*)\n-+\n[^]*$/m;

/** An error in one line. @param text its own words, of one line or of many; the last line counts */
export function litestreamWords(text: string): string {
  const { asked, answer, code } = PAGE.exec(text)?.groups ?? {};
  const words =
    asked === undefined
      ? (text.trim().split("\n").at(-1) ?? "")
      : `${asked} was answered ${answer} (${code})`;
  return words.replace(/^Error: /, "");
}
