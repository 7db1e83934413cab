/** Method: the two kinds of failure keep apart, and carry what a person needs to act. */
import { expect, test } from "vitest";
import { assert, GridError, InvariantError } from "../../../services/primitives/errors.ts";

test("assert passes what is truthy and names what is not", () => {
  assert(1, "never thrown");
  for (const falsy of [false, 0, "", null, undefined]) {
    expect(() => assert(falsy, "stock is positive")).toThrow(InvariantError);
    expect(() => assert(falsy, "stock is positive")).toThrow("stock is positive");
  }
});

test("an edge error keeps its code, its facts and its cause", () => {
  const cause = new Error("EADDRINUSE");
  const facts = { host: "localhost", port: 8080 };
  const error = new GridError("port_in_use", "port 8080 is taken", facts, { cause });
  expect(error).toMatchObject({ name: "GridError", code: "port_in_use", facts, cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(InvariantError);
});
