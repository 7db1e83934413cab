/**
 * The one place where a failure becomes an answer: {code, message, facts}, never a stack trace.
 * What is the request's fault says where it is; what is the program's says only that it happened,
 * and goes to `onFault`.
 */
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { z } from "zod";
import { type EdgeErrors, GridError } from "../primitives/errors.ts";
import type { ApiError } from "../wire/api.ts";

export type ErrorAnswer = {
  readonly status: ContentfulStatusCode;
  readonly body: ApiError;
  readonly headers: Record<string, string>;
};

/** Codes that are an answer to a request. Any other is a fault of the node. */
const STATUS_OF: Partial<Record<keyof EdgeErrors, ContentfulStatusCode>> = {
  argument_invalid: 400,
  request_malformed: 400,
  bytes_malformed: 400,
  unauthenticated: 401,
  pairing_invalid: 401,
  group_small: 403,
  resource_unknown: 404,
  method_unsupported: 405,
  request_oversized: 413,
  media_type_unsupported: 415,
  attempts_exceeded: 429,
  capacity_exceeded: 503,
  queue_full: 503,
  stopped: 503,
};

/** @returns null where the failure is not an answer but a fault */
export function errorAnswer(error: unknown): ErrorAnswer | null {
  if (error instanceof HTTPException) return frameworkAnswer(error);
  if (!(error instanceof GridError)) return null;
  const refusal: GridError = error;
  const { code, message } = refusal;
  const status = STATUS_OF[code];
  if (status === undefined) return null;
  const facts = refusal.facts as ApiError["facts"];
  return { status, body: { code, message, facts }, headers: headersOf(refusal) };
}

export const FAULT_ANSWER: ErrorAnswer = {
  status: 500,
  body: { code: "internal", message: "the node failed to answer; its log says why", facts: {} },
  headers: {},
};

/** RFC 9110: a 401 names the scheme, a 405 the methods; RFC 6585: a 429 says when to come back. */
function headersOf(error: GridError): Record<string, string> {
  const facts = error.facts as Record<string, string | number>;
  if (error.code === "unauthenticated") return { "WWW-Authenticate": "Bearer" };
  if (error.code === "method_unsupported") return { Allow: String(facts.allowed) };
  if (error.code === "attempts_exceeded") return { "Retry-After": String(facts.retryAfterS) };
  return {};
}

/** What Hono's own validators throw, in our codes. */
function frameworkAnswer({ status }: HTTPException): ErrorAnswer | null {
  if (status === 400) {
    return errorAnswer(
      new GridError("request_malformed", "the body is not JSON", { what: "body" }),
    );
  }
  if (status === 415) {
    const expected = "application/json";
    return errorAnswer(
      new GridError("media_type_unsupported", `send the body as ${expected}`, { expected }),
    );
  }
  return null;
}

/** @param part - of the request: query, param, json */
export function issuesToError({
  error,
  data,
  part,
}: {
  error: z.ZodError | z.core.$ZodError;
  data: unknown;
  part: string;
}): GridError {
  const faults = error.issues.map((issue) => {
    const keys = issue.code === "unrecognized_keys" ? issue.keys : [];
    const path = [...issue.path.map(String), ...keys.slice(0, 1)];
    return { path, message: issue.message };
  });
  const argument = (path: readonly string[]) => [part, ...path].join(".");
  const [first] = faults;
  return new GridError(
    "argument_invalid",
    faults.map(({ path, message }) => `${argument(path)}: ${message}`).join("; "),
    { argument: argument(first?.path ?? []), value: shown(valueAt(data, first?.path ?? [])) },
  );
}

function valueAt(data: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => {
    if (typeof value !== "object" || value === null) return undefined;
    return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  }, data);
}

/** Enough to recognise it by. */
function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
