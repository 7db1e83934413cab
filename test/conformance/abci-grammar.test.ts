/** Method: logs that the grammar allows, cut anywhere, and planted violations. */
import { describe, expect, test } from "vitest";
import { type AbciCall, grammarFault } from "./abci-grammar.ts";

/** "boot info0 init prep proc fin1 com": the number is the height. */
function log(text: string): AbciCall[] {
  const names = {
    init: "initChain",
    prep: "prepareProposal",
    proc: "processProposal",
    offer: "offerSnapshot",
    chunk: "applySnapshotChunk",
  } as const;
  return text.split(" ").map((word) => {
    const match = /^([a-z]+)(\d*)$/.exec(word)!;
    const height = Number(match[2]);
    if (match[1] === "info") return { call: "info", height };
    if (match[1] === "fin") return { call: "finalizeBlock", height };
    if (match[1] === "boot") return { call: "boot" };
    if (match[1] === "com") return { call: "commit" };
    return { call: names[match[1] as keyof typeof names] };
  });
}

describe("allowed", () => {
  test.each([
    "boot info0 init fin1 com fin2 com",
    "boot info0 init prep proc proc prep fin1 com",
    "boot info0 boot info0 init fin1 boot info0 init fin1 com boot info1 fin2 com",
    "boot info0 init fin1 com info1 fin2",
    "boot info0 offer chunk chunk info4 fin5 com",
    "boot info0 init offer offer chunk info0 offer chunk info2 proc fin3 com boot info3 fin4",
    "boot info0 offer chunk boot info0 offer chunk chunk info4 fin5",
  ])("%s", (text) => {
    const calls = log(text);
    for (let cut = 0; cut <= calls.length; cut++) {
      expect(grammarFault(calls.slice(0, cut))).toBeNull();
    }
  });
});

describe("refused", () => {
  test.each([
    ["a call before the boot", "info0"],
    ["a block before info", "boot fin1"],
    ["a block before initChain", "boot info0 fin1"],
    ["initChain above height 0", "boot info3 init"],
    ["a second initChain", "boot info0 init init"],
    ["commit without a block", "boot info0 init com"],
    ["two blocks without a commit", "boot info0 init fin1 fin2"],
    ["a skipped height", "boot info0 init fin2"],
    ["a round after finalizeBlock", "boot info0 init fin1 proc"],
    ["a chunk without an offer", "boot info0 chunk"],
    ["an offer above height 0", "boot info3 offer"],
    ["an offer after block 1", "boot info0 init fin1 com offer"],
    ["a block before the restore is through", "boot info0 offer chunk info0 fin1"],
    ["a block other than the next of the snapshot", "boot info0 offer chunk info4 fin4"],
  ])("%s", (_, text) => {
    expect(grammarFault(log(text))).not.toBeNull();
  });
});
