// Owns the thread that ends a synchronising process when whoever started it has died: the native library holds the
// other thread for as long as a primary likes. Is started by libsql-sync-process.ts.
import { Socket } from "node:net";

/** The descriptor that closes when the other process dies. */
const LIFELINE_FD = 4;

const lifeline = new Socket({ fd: LIFELINE_FD });
lifeline.on("error", () => {});
lifeline.on("close", () => process.kill(process.pid, "SIGKILL"));
lifeline.resume();
