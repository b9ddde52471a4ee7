// Owns the entry "tenantry/node": serving an application on Node, and ending without losing a request.
// Re-exports, by name, and nothing else.
export {
  DEFAULT_GRACE_MS,
  DEFAULT_HOST,
  DEFAULT_PORT,
  listen,
  type ListenOptions,
  type RunningServer,
} from "./http/listen.ts";
