import { defineConfig } from "vitest/config";

// One project a runtime: Node runs everything in test/, workerd runs what must hold on real D1.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
