// Owns that the small JSON Schema converter of the OpenAPI documents says what Valibot's own says.
import { toJsonSchema } from "@valibot/to-json-schema";
import { expect, test } from "vitest";
import type { GenericSchema } from "valibot";
import { ROUTES } from "../src/http/openapi/admin-openapi.ts";
import { MACHINE_ROUTES } from "../src/http/openapi/machine-openapi.ts";
import { jsonSchema } from "../src/http/openapi/json-schema.ts";
import { NAMESPACE_ROUTES } from "../src/http/openapi/namespace-openapi.ts";
import type { BodyDescription } from "../src/http/openapi/route-description.ts";

test("every body and parameter is described as @valibot/to-json-schema does it", () => {
  const schemas = [...ROUTES, ...MACHINE_ROUTES, ...NAMESPACE_ROUTES]
    .flatMap(({ body, query = {}, responses }): (BodyDescription | undefined)[] => [
      body,
      ...Object.values(query).map(({ schema }) => schema),
      ...Object.values(responses).map((response) => response.body),
    ])
    .filter((body): body is GenericSchema => body !== undefined && !("mediaType" in body));
  expect(schemas.length).toBeGreaterThan(30);
  for (const schema of schemas) {
    const { $schema: _, ...expected } = toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" });
    expect(jsonSchema(schema)).toEqual(expected);
  }
});
