// Owns the start of an executor process: it reads its settings, and runs.
// Is run by executor.ts, and by nobody else.
import { text } from "node:stream/consumers";
import { keepCompiled } from "../compile-cache.ts";
import type { ExecutorSettings } from "./executor-settings.ts";

// The main process is told to stop by a signal that a terminal sends to both; it ends us when it is done.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});

keepCompiled();
const { runExecutor } = await import("./executor-main.ts");
await runExecutor(JSON.parse(await text(process.stdin)) as ExecutorSettings);
