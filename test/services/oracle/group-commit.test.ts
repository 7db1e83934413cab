/** Method: a store that is written by hand: what shares a write, in which order, and what fails. */
import { expect, test } from "vitest";
import { GroupCommit } from "../../../services/oracle/group-commit.ts";
import type { StoreChange } from "../../../services/oracle/store.ts";

type Write = {
  readonly changes: readonly StoreChange[];
  readonly resolve: () => void;
  readonly reject: (failure: Error) => void;
};

function byHand(ticketsMax = 3) {
  const writes: Write[] = [];
  const write = (changes: readonly StoreChange[]) =>
    new Promise<void>((resolve, reject) => {
      writes.push({ changes, resolve, reject });
    });
  return { writes, commit: new GroupCommit({ write, ticketsMax }) };
}

const change = (key: string): StoreChange => ({ table: "meta", key, value: null });
const keysOf = (write: Write | undefined) => write?.changes.map(({ key }) => key).join();
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("one write in flight carries all that waited, bounded, in order", async () => {
  const { writes, commit } = byHand();
  const done: string[] = [];
  const add = (key: string) => commit.add([change(key)], () => done.push(key));
  const all = [add("a"), add("b")];
  await turn();
  expect(writes.map(keysOf)).toEqual(["a,b"]);
  all.push(add("c"), add("d"), add("e"), add("f"));
  await turn();
  expect(writes).toHaveLength(1);
  expect(commit.size).toBe(6);
  writes[0]!.resolve();
  await turn();
  expect(writes.map(keysOf)).toEqual(["a,b", "c,d,e"]);
  expect(done.join("")).toBe("ab");
  writes[1]!.resolve();
  await turn();
  writes[2]!.resolve();
  await Promise.all(all);
  expect(done.join("")).toBe("abcdef");
  expect(commit.size).toBe(0);
  await commit.idle();
});

test("a failed write is final: it and all behind it are refused", async () => {
  const { writes, commit } = byHand();
  const full = new Error("disk full");
  const first = commit.add([change("a")]);
  await turn();
  const second = commit.add([change("b")]);
  const outcomes = Promise.allSettled([first, second]);
  writes[0]!.reject(full);
  expect(await outcomes).toEqual([
    { status: "rejected", reason: full },
    { status: "rejected", reason: full },
  ]);
  await expect(commit.add([change("c")])).rejects.toBe(full);
  expect(commit.failure).toBe(full);
  expect(writes).toHaveLength(1);
  await commit.idle();
});

test("a callback that throws harms its own caller only", async () => {
  const { writes, commit } = byHand();
  const broken = commit.add([], () => {
    throw new Error("no such client");
  });
  const fine = commit.add([]);
  await turn();
  writes[0]!.resolve();
  await expect(broken).rejects.toThrow("no such client");
  await fine;
});
