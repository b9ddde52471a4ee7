// Owns the Accept header: which forms an answer can have.
// Writes none of them.
import { TenantryError } from "../../tenantry-error.ts";

export interface AnswerFormat {
  readonly type: "array" | "object" | "csv";
  /** Leave keys out whose value is null. */
  readonly stripNulls: boolean;
  readonly contentType: string;
}

export const JSON_TYPE = "application/json";
const ARRAY: AnswerFormat = { type: "array", stripNulls: false, contentType: JSON_TYPE };
const CSV: AnswerFormat = { type: "csv", stripNulls: false, contentType: "text/csv; charset=utf-8" };
const PGRST_TYPE = /^application\/vnd\.pgrst\.(array|object)(?:\+json)?$/;

/**
 * The first form in the header that there is; JSON without a header.
 * @throws {TenantryError} `NOT_ACCEPTABLE` if there is none.
 */
export function answerFormat(accept: string | undefined): AnswerFormat {
  if (accept === undefined || accept === "" || accept === JSON_TYPE || accept === "*/*") return ARRAY;
  for (const range of accept.split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const pgrst = PGRST_TYPE.exec(type);
    if (pgrst !== null) {
      return {
        type: pgrst[1] as "array" | "object",
        stripNulls: parameters.includes("nulls=stripped"),
        contentType: JSON_TYPE,
      };
    }
    if (type === "text/csv") return CSV;
    if (type === JSON_TYPE || type === "*/*" || type === "application/*") return ARRAY;
  }
  throw new TenantryError(
    "NOT_ACCEPTABLE",
    `Rows cannot be given as ${JSON.stringify(accept.slice(0, 100))}.`,
    {
      hint: "Accept application/json, application/vnd.pgrst.object+json or text/csv.",
    },
  );
}
