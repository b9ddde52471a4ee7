// What an open server on loopback refuses of browsers, and which addresses may be bound without keys.
import { describe, expect, test } from "vitest";
import { guardBrowser } from "../src/http/browser-guard.ts";
import { assertBindable, isLoopbackHost } from "../src/http/loopback.ts";
import { isTenantryError } from "../src/tenantry-error.ts";

type Headers = Record<string, string>;

function outcome(headers: Headers): string {
  try {
    guardBrowser((name) => ({ host: "localhost:8787", ...headers })[name]);
    return "passes";
  } catch (error) {
    if (isTenantryError(error)) return error.code;
    throw error;
  }
}

describe("the Host must be this machine", () => {
  test.each([
    "localhost",
    "LOCALHOST:8787",
    "localhost.",
    "acme.localhost:8787",
    "127.0.0.1",
    "127.0.0.1:8787",
    "127.255.255.254",
    "[::1]",
    "[::1]:8787",
  ])("%s is", (host) => {
    expect(isLoopbackHost(host)).toBe(true);
    expect(outcome({ host })).toBe("passes");
  });

  test.each([
    "",
    "example.com",
    "127.0.0.1.example.com",
    "127.0.0.1.nip.io",
    "localhost.example.com",
    "notlocalhost",
    "example.com@x.localhost",
    "example.com/.localhost",
    "localhost:80:80",
    "localhost:port",
    "127.0.0.256",
    "127.0.0",
    "128.0.0.1",
    "10.0.0.1",
    "0.0.0.0",
    "[::]",
    "[::1",
    "[::1]x",
    "::1",
    "[::ffff:127.0.0.1]",
    "127.0.0.1, example.com",
    "localhost\n",
  ])("%j is not", (host) => {
    expect(isLoopbackHost(host)).toBe(false);
    expect(outcome({ host })).toBe("CROSS_SITE_REFUSED");
  });
});

describe("pages", () => {
  test.each<[Headers, string]>([
    [{}, "passes"],
    [{ origin: "http://localhost:8787", "sec-fetch-site": "same-origin" }, "passes"],
    [{ origin: "http://localhost:5173", "sec-fetch-site": "same-site" }, "passes"],
    [{ origin: "http://[::1]:5173" }, "passes"],
    [{ "sec-fetch-site": "none" }, "passes"],
    [{ origin: "https://example.com" }, "CROSS_SITE_REFUSED"],
    [{ origin: "http://localhost.example.com" }, "CROSS_SITE_REFUSED"],
    [{ origin: "null" }, "CROSS_SITE_REFUSED"],
    [{ origin: "file://" }, "CROSS_SITE_REFUSED"],
    [{ origin: "" }, "CROSS_SITE_REFUSED"],
    [{ "sec-fetch-site": "cross-site" }, "CROSS_SITE_REFUSED"],
    [{ "sec-fetch-site": "cross-site, none" }, "CROSS_SITE_REFUSED"],
    [{ origin: "http://localhost:8787", "sec-fetch-site": "cross-site" }, "CROSS_SITE_REFUSED"],
  ])("%j: %s", (headers, expected) => {
    expect(outcome(headers)).toBe(expected);
  });
});

describe("bodies", () => {
  test.each<[Headers, string]>([
    [{ "content-type": "application/json" }, "passes"],
    [{ "content-type": "Application/JSON ; charset=utf-8" }, "passes"],
    [{ "content-type": "application/vnd.pgrst.object+json" }, "passes"],
    [{ "content-type": "application/vnd.sqlite3" }, "passes"],
    [{ "content-type": "application/octet-stream" }, "passes"],
    [{ "content-length": "0" }, "passes"],
    [{ "content-type": "application/x-www-form-urlencoded" }, "UNSUPPORTED_MEDIA_TYPE"],
    [
      { "content-type": "application/x-www-form-urlencoded", "content-length": "0" },
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [{ "content-type": "multipart/form-data; boundary=application/json" }, "UNSUPPORTED_MEDIA_TYPE"],
    [{ "content-type": "text/plain; application/json" }, "UNSUPPORTED_MEDIA_TYPE"],
    [{ "content-type": "text/plain, application/json" }, "UNSUPPORTED_MEDIA_TYPE"],
    [{ "content-type": "" }, "UNSUPPORTED_MEDIA_TYPE"],
    [{ "content-length": "5" }, "UNSUPPORTED_MEDIA_TYPE"],
    [{ "content-length": "5", "x-libsql-client-version": "libsql-remote-0.9.30" }, "passes"],
    [{ "content-length": "5", "x-libsql-client-version": "" }, "UNSUPPORTED_MEDIA_TYPE"],
    [
      { "content-type": "text/plain", "content-length": "5", "x-libsql-client-version": "1" },
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [{ "transfer-encoding": "chunked" }, "UNSUPPORTED_MEDIA_TYPE"],
  ])("%j: %s", (headers, expected) => {
    expect(outcome(headers)).toBe(expected);
  });
});

describe("binding without keys", () => {
  test.each(["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"])(
    "%s is possible",
    (host) => {
      expect(() => assertBindable(host, false)).not.toThrow();
    },
  );

  test.each([
    "0.0.0.0",
    "::",
    "",
    "192.168.1.1",
    "example.com",
    "127.0.0.1.example.com",
    "localhost.example.com",
  ])("%j is refused", (host) => {
    expect(() => assertBindable(host, false)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => assertBindable(host, true)).not.toThrow();
  });
});
