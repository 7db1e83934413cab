/**
 * Method: what a wrong request gets, as a table: status, code and the fact that says where it is
 * wrong; then limits at their edge, and faults that are not the request's.
 */
import { expect, test } from "vitest";
import { GridError } from "../../../services/primitives/errors.ts";
import {
  PAGE_ROWS_MAX,
  PAIRING_ATTEMPTS_PER_ADDRESS_MAX,
  REQUEST_BYTES_MAX,
} from "../../../services/primitives/limits.ts";
import type { ApiError } from "../../../services/wire/api.ts";
import { createHarness, OPERATOR_TOKEN, post } from "./harness.ts";

const json = (body: unknown) => post(body);

test.each([
  { path: "/api/v1/nothing", status: 404, code: "resource_unknown", fact: "/api/v1/nothing" },
  { path: "/api", status: 404, code: "resource_unknown", fact: "/api" },
  { path: "/api/v1/regions/%ff", status: 404, code: "resource_unknown", fact: "%ff" },
  { path: "/api/v1/regions/atlantis", status: 404, code: "resource_unknown", fact: "atlantis" },
  { path: "/api/v1/regions/meadow/slots/5", status: 404, code: "resource_unknown", fact: "5" },
  { path: "/api/v1/regions/meadow/slots/-1", status: 400, fact: "param.slot" },
  { path: "/api/v1/regions/meadow/slots/0x10", status: 400, fact: "param.slot" },
  { path: "/api/v1/regions/meadow/slots/1e3", status: 400, fact: "param.slot" },
  { path: "/api/v1/regions/meadow/slots/99999999999", status: 400, fact: "param.slot" },
  { path: "/api/v1/regions/meadow/slots?limit=0", status: 400, fact: "query.limit" },
  {
    path: `/api/v1/regions/meadow/slots?limit=${PAGE_ROWS_MAX + 1}`,
    status: 400,
    fact: "query.limit",
  },
  { path: "/api/v1/regions/meadow/slots?limit=1&limit=2", status: 400, fact: "query.limit" },
  { path: "/api/v1/regions/meadow/slots?limt=1", status: 400, fact: "query.limt" },
  { path: "/api/v1/regions/meadow/slots?from=9&to=8", status: 400, fact: "query.from" },
  { path: "/api/v1/regions/meadow/summary?window=year", status: 400, fact: "query.window" },
  { path: "/api/v1/regions/cabin/summary", status: 403, code: "group_small", fact: "cabin" },
  { path: "/api/v1/me", status: 401, code: "unauthenticated", fact: "session" },
  { path: "/api/v1/refusals", status: 401, code: "unauthenticated", fact: "operator token" },
  {
    path: "/api/v1/status",
    init: { method: "POST" },
    status: 405,
    code: "method_unsupported",
    fact: "POST",
  },
  {
    path: "/api/v1/regions/meadow",
    init: { method: "DELETE" },
    status: 405,
    code: "method_unsupported",
    fact: "DELETE",
  },
  {
    path: "/api/v1/session",
    init: { method: "PUT" },
    status: 405,
    code: "method_unsupported",
    fact: "PUT",
  },
  {
    path: "/api/v1/session",
    init: json("{"),
    status: 400,
    code: "request_malformed",
    fact: "body",
  },
  {
    path: "/api/v1/session",
    init: json(""),
    status: 400,
    code: "request_malformed",
    fact: "body",
  },
  { path: "/api/v1/session", init: json("[]"), status: 400, fact: "json" },
  { path: "/api/v1/session", init: json({}), status: 400, fact: "json.code" },
  { path: "/api/v1/session", init: json({ code: 5 }), status: 400, fact: "json.code" },
  {
    path: "/api/v1/session",
    init: json({ code: "12345678", x: 1 }),
    status: 400,
    fact: "json.x",
  },
  {
    path: "/api/v1/session",
    init: json({ code: "12345678" }),
    status: 401,
    code: "pairing_invalid",
    fact: "code",
  },
  {
    path: "/api/v1/session",
    init: { method: "POST", body: "code=1" },
    status: 415,
    code: "media_type_unsupported",
    fact: "application/json",
  },
  { path: "/api/v1/transactions", init: json({ raw: "0x123" }), status: 400, fact: "json.raw" },
  { path: "/api/v1/transactions", init: json({ raw: "02ab" }), status: 400, fact: "json.raw" },
  {
    path: "/api/v1/transactions",
    init: json("x".repeat(REQUEST_BYTES_MAX + 1)),
    status: 413,
    code: "request_oversized",
    fact: REQUEST_BYTES_MAX,
  },
  {
    path: "/api/v1/pairings",
    init: post({ region: "meadow", member: "m" }, "wrong"),
    status: 401,
    code: "unauthenticated",
    fact: "operator token",
  },
  {
    path: "/api/v1/pairings",
    init: post({ region: "meadow", member: "nobody" }, OPERATOR_TOKEN),
    status: 404,
    code: "resource_unknown",
    fact: "nobody",
  },
])("$status $path $fact", async ({ path, init, status, code = "argument_invalid", fact }) => {
  const harness = await createHarness({ slots: 1 });
  const response = await harness.request(path, init);
  expect(response.status).toBe(status);
  const body = (await response.json()) as ApiError;
  expect(Object.keys(body).sort()).toEqual(["code", "facts", "message"]);
  expect(body.code).toBe(code);
  expect(Object.values(body.facts)).toContain(fact);
  expect(JSON.stringify(body)).not.toMatch(/at .*\.ts|node_modules/);
  expect(harness.faults).toEqual([]);
});

test("a body of exactly the limit is read; a longer one without a length is not", async () => {
  const harness = await createHarness();
  const digits = REQUEST_BYTES_MAX - '{"raw":"0x"}'.length;
  const raw = `0x${"a".repeat(digits % 2 === 0 ? digits : digits - 1)}`;
  const init = json(JSON.stringify({ raw }).padEnd(REQUEST_BYTES_MAX));
  expect((await harness.request("/api/v1/transactions", init)).status).toBe(200);
  const chunk = new TextEncoder().encode(" ".repeat(REQUEST_BYTES_MAX));
  let sent = 0;
  const body = new ReadableStream({
    pull: (controller) => (sent++ < 2 ? controller.enqueue(chunk) : controller.close()),
  });
  const streamed = { method: "POST", body, duplex: "half" } as RequestInit;
  const headers = { "Content-Type": "application/json" };
  const refused = await harness.request("/api/v1/transactions", { ...streamed, headers });
  expect(refused.status).toBe(413);
});

test("401 names the scheme, 405 the methods, 429 the time to wait", async () => {
  const harness = await createHarness();
  expect((await harness.request("/api/v1/me")).headers.get("WWW-Authenticate")).toBe("Bearer");
  const put = await harness.request("/api/v1/session", { method: "PUT" });
  expect(put.headers.get("Allow")?.split(", ").sort()).toEqual(["DELETE", "POST"]);
  const guess = () => harness.request("/api/v1/session", json({ code: "ZZZZZZZZ" }));
  for (let i = 0; i < PAIRING_ATTEMPTS_PER_ADDRESS_MAX; i++)
    expect((await guess()).status).toBe(401);
  const limited = await guess();
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get("Retry-After"))).toBeGreaterThan(0);
});

test("the program's own fault is answered without a word of it, and reported", async () => {
  const harness = await createHarness({ slots: 1 });
  const secret = new GridError("database_corrupt", "at /var/secret", {
    directory: "x",
    what: "y",
  });
  for (const fault of [new Error("boom at /var/secret"), secret]) {
    harness.chain.slotRecords = () => Promise.reject(fault);
    const body = await harness.json("/api/v1/regions/meadow/slots", { status: 500 });
    expect(body).toMatchObject({ code: "internal", facts: {} });
    expect(JSON.stringify(body)).not.toContain("secret");
    expect(harness.faults.pop()).toBe(fault);
  }
});

test("a node that stops says so", async () => {
  const writer = {
    submit: () => Promise.reject(new GridError("stopped", "the node stops", { what: "chain" })),
  };
  const harness = await createHarness({ writer });
  const body = await harness.json("/api/v1/transactions", {
    ...json({ raw: "0x02" }),
    status: 503,
  });
  expect(body.code).toBe("stopped");
});
