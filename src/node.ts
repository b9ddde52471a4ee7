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
export {
  DEFAULT_HELLO_TIMEOUT_MS,
  DEFAULT_KEEP_ALIVE_MS,
  DEFAULT_SOCKET_IDLE_MS,
  type UpgradeOptions,
  type Upgrades,
  upgradesOf,
} from "./http/upgrades.ts";
