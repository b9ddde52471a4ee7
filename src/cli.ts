#!/usr/bin/env node
// Owns the first step of the command line: refusing a Node that is too old, before anything native is loaded.
// Has no static imports: on Node 20 the SQLite binding does not throw, it takes the process down.

const LEAST_NODE = [22, 12] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
  process.stderr.write(
    `error: Tenantry needs Node ${LEAST_NODE.join(".")} or newer, and this is ${process.version}.\n` +
      "hint: Install a newer Node, or run it in a checkout with: npm run -s tenantry -- ARGS\n",
  );
  process.exitCode = 2;
} else {
  const { keepCompiled } = await import("./compile-cache.ts");
  keepCompiled();
  const { main } = await import("./cli/main.ts");
  process.exitCode = await main(process.argv.slice(2));
}
