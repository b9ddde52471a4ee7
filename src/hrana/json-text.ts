// Owns JSON that is put together from text and, where it is large, from bytes that nobody has to encode again.
// Does not know what it says.
import { freeBuffer } from "../free-bytes.ts";

/** JSON: as text, or as pieces one after the other; bytes have their buffer to themselves. */
export type JsonText = string | readonly (string | Uint8Array)[];

/** One behind the other. */
export function joined(texts: readonly JsonText[], separator = ""): JsonText {
  const pieces: (string | Uint8Array)[] = [];
  /** What comes behind the last piece. */
  let rest = "";
  for (let index = 0; index < texts.length; index++) {
    const text = texts[index] as JsonText;
    if (index > 0) rest += separator;
    if (typeof text === "string") {
      rest += text;
      continue;
    }
    for (const piece of text) {
      if (typeof piece === "string") {
        rest += piece;
      } else {
        pieces.push(rest, piece);
        rest = "";
      }
    }
  }
  return pieces.length === 0 ? rest : [...pieces, rest];
}

/** Characters or bytes of it. */
export function lengthOf(text: JsonText): number {
  return typeof text === "string" ? text.length : text.reduce((sum, { length }) => sum + length, 0);
}

/** As a body: text as it is, pieces as bytes, which are gone then. */
export function bodyOf(text: JsonText): string | Uint8Array<ArrayBuffer> {
  if (typeof text === "string") return text;
  const encoder = new TextEncoder();
  const pieces = text.map((piece) => (typeof piece === "string" ? encoder.encode(piece) : piece));
  const body = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.byteLength;
    freeBuffer(piece.buffer);
  }
  return body;
}
