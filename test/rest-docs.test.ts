// Owns that the curl examples of docs/rest.md work on the sample schema and its data.
import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { sampleStatements } from "../src/sample/sample-data.ts";
import { restApp } from "./rest-app.ts";

const root = new URL("../", import.meta.url);

/** A shell's words, with single and double quotes. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? "",
  );
}

function curl(line: string): { url: string; init: RequestInit } {
  const headers: Record<string, string> = {};
  const init: RequestInit = { headers };
  let url = "";
  const [command, ...rest] = words(line);
  expect(command).toBe("curl");
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] as string;
    if (word === "-X") init.method = rest[++i] as string;
    else if (word === "-d") init.body = rest[++i] as string;
    else if (word === "-I") init.method = "HEAD";
    else if (word === "-H") {
      const [name, value] = (rest[++i] as string).split(/: ?/, 2) as [string, string];
      headers[name] = value;
    } else if (word !== "-i") url = word;
  }
  return { url, init };
}

test("every example of docs/rest.md works, and reads find rows", async () => {
  const folder = new URL("migrations/", root);
  const files = (await readdir(folder)).sort();
  const sql = await Promise.all(files.map((file) => readFile(new URL(file, folder), "utf8")));
  const app = await restApp(sql.join("\n"));
  await app.handle.batch(sampleStatements("acme"));
  const text = await readFile(new URL("docs/rest.md", root), "utf8");
  const lines = [...text.matchAll(/```sh\n([^]*?)```/g)]
    .flatMap(([, block]) => (block as string).replaceAll("\\\n", " ").split("\n"))
    .filter((line) => line.trim() !== "");
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) {
    const { url, init } = curl(line);
    expect(url, line).toMatch(/^http:\/\/127\.0\.0\.1:8787\/t\/acme\/rest\//);
    const answer = await app.get(url.slice("http://127.0.0.1:8787/t/acme/rest".length), init);
    const body = await answer.text();
    expect(answer.ok, `${line}\n${answer.status} ${body}`).toBe(true);
    if (init.method === undefined) expect(body.length, line).toBeGreaterThan(20);
  }
});
