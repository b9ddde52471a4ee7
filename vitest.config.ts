// Owns which tests run where: Node runs test/, workerd runs test/workerd/ on real D1.
// Adds no other behaviour: a test that needs a setting says so itself.
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { createApiKey } from "./src/auth/api-key.ts";
import { ClosingLine } from "./test/support/closing-line.ts";

// On a machine that others keep busy a process may be late. What passes only when it is run again is named at the end.
const common = {
  setupFiles: ["./test/support/expected-patterns.ts"],
  testTimeout: 60_000,
  hookTimeout: 120_000,
  retry: 1,
};

export default defineConfig({
  test: {
    reporters: ["default", new ClosingLine()],
    // Tests mostly wait for processes of their own: one file for each processor, not for all but one.
    maxWorkers: "100%",
    projects: [
      {
        test: {
          ...common,
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/workerd/**"],
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./test/workerd/wrangler.toml" },
            miniflare: { bindings: { TENANTRY_ADMIN_KEY: (await createApiKey()).secret } },
          }),
        ],
        test: { ...common, name: "workerd", include: ["test/workerd/**/*.test.ts"] },
      },
    ],
  },
});
