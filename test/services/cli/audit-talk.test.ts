/** Method: the bar over a clock that tests turn: what is drawn when, on a terminal and not. */
import { expect, test } from "vitest";
import { progressOn } from "../../../services/cli/audit-talk.ts";

function draw(isTTY: boolean, steps: readonly (readonly [nowMs: number, height: number])[]) {
  const written: string[] = [];
  let nowMs = 0;
  const stream = { isTTY, write: (text: string) => written.push(text) > 0 };
  const progress = progressOn(stream as never, () => nowMs);
  for (const [at, height] of steps) {
    nowMs = at;
    progress({ height, blocks: 2000, slots: 2 * height });
  }
  return written;
}

test("on a terminal: how far, how fast, how long still, and an end of the line", () => {
  const written = draw(true, [
    [0, 1],
    [10, 20],
    [4000, 500],
    [120_000, 1000],
    [200_000, 2000],
  ]);
  expect(written).toHaveLength(4); // the second came too soon
  expect(written[1]).toMatch(
    /^\r\[#{7}\.{23}\] block 500 of 2000, 1000 slots, 250 slots\/s, 12 s left/,
  );
  expect(written[2]).toMatch(/2 min left/);
  expect(written[3]).toMatch(
    /^\r\[#{30}\] block 2000 of 2000, 4000 slots, 20 slots\/s, 0 s left +\n$/,
  );
});

test("elsewhere: no bar, a line now and then", () => {
  const steps = Array.from({ length: 2000 }, (_, i) => [i, i + 1] as const);
  expect(draw(false, steps)).toEqual([
    "audit: block 1000 of 2000, 2000 slots\n",
    "audit: block 2000 of 2000, 4000 slots\n",
  ]);
});
