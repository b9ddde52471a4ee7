// What the command line says to what it does not understand.
import { expect, test } from "vitest";
import { cliFolder } from "./cli-process.ts";

test("wrong use is 2, with a hint, and as JSON where that is wanted", async () => {
  await using cli = await cliFolder();
  const [command, option, value, json, nothing, help, id] = await Promise.all([
    cli.run(["tenant"]),
    cli.run(["serve", "--prot", "1"]),
    cli.run(["serve", "--port", "x"]),
    cli.run(["tenants", "crate", "acme", "--json"]),
    cli.run([]),
    cli.run(["tenants", "create", "--help"]),
    cli.run(["tenants", "create", "Acme"]),
  ]);
  expect(command).toEqual({
    code: 2,
    stdout: "",
    stderr: "error: Unknown command 'tenant'\nhint: Did you mean tenants?\n",
  });
  expect(option).toMatchObject({
    code: 2,
    stderr: "error: Unknown option '--prot'\nhint: Did you mean --port?\n",
  });
  expect(value.code).toBe(2);
  expect(value.stderr).toContain("It is a whole number from 0 to 65535.");
  expect(json).toMatchObject({ code: 2, stdout: "" });
  expect(JSON.parse(json.stderr)).toEqual({
    error: { code: "WRONG_USE", message: "Unknown command 'crate'", hint: "Did you mean create?" },
  });
  expect(nothing).toMatchObject({ code: 2, stdout: "" });
  expect(nothing.stderr).toMatch(/^Usage: tenantry /);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toContain("Examples:");
  expect(id).toMatchObject({ code: 2, stdout: "" });
  expect(id.stderr).not.toContain("    at ");
});

test("a key's secret is printed once, alone on stdout, and never listed", async () => {
  await using cli = await cliFolder();
  await cli.run(["tenants", "create", "acme"]);
  const made = await cli.run(["token", "create", "--tenant", "acme", "--scope", "read", "--expires", "30d"]);
  expect(made.stdout).toMatch(/^tnt_[\w-]{49}\n$/);
  const [listed, unknown] = await Promise.all([
    cli.run(["token", "list", "--json"]),
    cli.run(["token", "create", "--tenant", "nobody", "--scope", "read"]),
  ]);
  const [key] = JSON.parse(listed.stdout).keys as { id: string; expiresAt: number; createdAt: number }[];
  expect(key!.expiresAt - key!.createdAt).toBeCloseTo(30 * 86_400_000, -4);
  expect(listed.stdout).not.toContain(made.stdout.trim());
  expect(key).not.toHaveProperty("hash");
  expect(unknown).toMatchObject({ code: 1, stdout: "" });
  expect(await cli.run(["token", "revoke", key!.id])).toMatchObject({
    code: 0,
    stdout: `revoked ${key!.id}\n`,
  });
});
