// Holds the cache to opening a key once, however many ask for it at the same time.
import { expect, onTestFinished, test } from "vitest";
import { HandleCache } from "../src/handle-cache/handle-cache.ts";
import { type CountingHandle, CountingHandles } from "./support/counting-handles.ts";

function cache(): HandleCache<CountingHandle> {
  const made = new HandleCache<CountingHandle>({ idleMs: 0, maxOpen: 4 });
  onTestFinished(() => made.close());
  return made;
}

test("a hundred who ask at once share one handle, and it is leased until the last is done", async () => {
  const handles = new CountingHandles();
  const shared = cache();
  const seen = await Promise.all(
    Array.from({ length: 100 }, () =>
      shared.use("a", handles.opener("a"), async (handle) => {
        expect(handle.open).toBe(true);
        return handle;
      }),
    ),
  );
  expect(new Set(seen).size).toBe(1);
  expect(handles.opened).toBe(1);
  expect(shared.stats()).toMatchObject({ opens: 1, leased: 0, open: 1 });
});

test("all who wait for an open that fails hear of it, and the next one tries again", async () => {
  const handles = new CountingHandles();
  const shared = cache();
  let opens = 0;
  const failing = async (): Promise<CountingHandle> => {
    opens++;
    throw new Error("cannot be opened");
  };
  const asked = Array.from({ length: 5 }, () => shared.use("a", failing, async () => "used"));
  for (const one of asked) await expect(one).rejects.toThrow("cannot be opened");
  expect(opens).toBe(1);
  expect(shared.stats()).toMatchObject({ failedOpens: 1, open: 0, leased: 0 });
  expect(await shared.use("a", handles.opener("a"), async ({ key }) => key)).toBe("a");
});

test("an opener that throws at once, without a promise, is a failed open", async () => {
  const shared = cache();
  const opened = shared.use(
    "a",
    () => {
      throw new Error("at once");
    },
    async () => "used",
  );
  await expect(opened).rejects.toThrow("at once");
  expect(shared.stats()).toMatchObject({ failedOpens: 1, open: 0 });
});

test("the handle comes back from a function that throws, at once or later", async () => {
  const handles = new CountingHandles();
  const shared = cache();
  const later = shared.use("a", handles.opener("a"), async () => {
    throw new Error("later");
  });
  await expect(later).rejects.toThrow("later");
  const atOnce = shared.use("a", handles.opener("a"), () => {
    throw new Error("at once");
  });
  await expect(atOnce).rejects.toThrow("at once");
  expect(shared.stats()).toMatchObject({ leased: 0, open: 1, opens: 1 });
});
