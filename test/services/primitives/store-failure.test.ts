/** Method: a table of what LevelDB and the file system say, and what a person is told of it. */
import { expect, test } from "vitest";
import { GridError } from "../../../services/primitives/errors.ts";
import { corruptStore, storeFailure } from "../../../services/primitives/store-failure.ts";

const PLACE = { directory: "/data", what: "the store" };

test.each([
  { code: "LEVEL_LOCKED", message: "IO error: lock /x/LOCK: busy", expected: "database_locked" },
  { code: "LEVEL_CORRUPTION", message: "Corruption: bad block", expected: "database_corrupt" },
  { code: "LEVEL_IO_ERROR", message: "IO error: No space left on device", expected: "disk_full" },
  { code: "ENOSPC", message: "write", expected: "disk_full" },
  { code: "LEVEL_IO_ERROR", message: "IO error: Disk quota exceeded", expected: "disk_full" },
  { code: "EACCES", message: "mkdir", expected: "permission_denied" },
  {
    code: "LEVEL_IO_ERROR",
    message: "IO error: Permission denied",
    expected: "permission_denied",
  },
  { code: "LEVEL_IO_ERROR", message: "Read-only file system", expected: "permission_denied" },
  { code: "LEVEL_IO_ERROR", message: "000005.ldb: No such file", expected: "database_corrupt" },
])("$code ($message) is $expected, also as a cause", ({ code, message, expected }) => {
  const failure = Object.assign(new Error(message), { code });
  const wrapped = Object.assign(new Error("Database failed to open", { cause: failure }), {
    code: "LEVEL_DATABASE_NOT_OPEN",
  });
  for (const error of [failure, wrapped]) {
    const named = storeFailure(error, PLACE);
    expect(named).toMatchObject({ name: "GridError", code: expected });
    expect((named as Error).message).toMatch(/^[^\n]*: [^\n]+$/); // one sentence with a fix
    expect((named as Error).message).toContain("/data");
  }
});

test("a bug stays what it is", () => {
  const bug = new TypeError("x is undefined");
  expect(storeFailure(bug, PLACE)).toBe(bug);
});

test("what is named already stays as it is; what is no error is no failure of a store", () => {
  const named = new GridError("stopped", "the node stops", { what: "node" });
  expect(storeFailure(named, PLACE)).toBe(named);
  expect(storeFailure("text", PLACE)).toBe("text");
});

test("damage is named with its place and what to do", () => {
  const cause = new Error("checksum");
  const error = corruptStore(PLACE, "block 7 is missing", { cause });
  expect(error.message).toBe(
    "the store in /data is damaged (block 7 is missing): restore it from a backup",
  );
  expect(error).toMatchObject({ facts: { directory: "/data", what: "block 7 is missing" }, cause });
});
