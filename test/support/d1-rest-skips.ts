// Owns why D1 by REST differs from bare D1: the cases of the contract that its driver does not fulfil.
import { D1_BINDING_SKIPS } from "./d1-binding-skips.ts";

export const D1_REST_SKIPS = {
  ...D1_BINDING_SKIPS,
  "its bookmark is null at first and a string after a query":
    "the interface reads from the primary and gives no bookmarks",
  "a column may be named __proto__": "the test's proxy of workerd cannot pass it on",
};
