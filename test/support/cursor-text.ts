// Owns the answer of a cursor as it comes in, line by line.
// Reads nothing of what the lines say.
import type { RunningTestServer } from "./running-server.ts";

/** A cursor's answer. */
export interface CursorText {
  /** What has come, once `pattern` is in it. */
  until(pattern: RegExp): Promise<string>;
  /** All of it. */
  rest(): Promise<string>;
  cancel(): Promise<void>;
}

/** Opens a cursor on a stream of its own. */
export async function cursorText(server: RunningTestServer, steps: readonly object[]): Promise<CursorText> {
  const { body } = await fetch(`${server.url}/t/acme/v3/cursor`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ baton: null, batch: { steps } }),
  });
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async until(pattern) {
      while (!pattern.test(text)) text += (await reader.read()).value;
      return text;
    },
    async rest() {
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
      return text;
    },
    cancel: () => reader.cancel(),
  };
}
