// Owns that a regular expression among expected values is a pattern for the string in its place: without this
// `toMatchObject({ message: /x/ })` holds for every message.
// Asserts nothing itself.
import { expect } from "vitest";

expect.addEqualityTesters([
  (actual: unknown, expected: unknown) =>
    expected instanceof RegExp && !(actual instanceof RegExp)
      ? typeof actual === "string" && expected.test(actual)
      : undefined,
]);
