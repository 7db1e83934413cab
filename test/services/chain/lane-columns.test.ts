/**
 * Method: a table of capacities at their edges; then growth against a lane that was made at its
 * final size: same bytes, same root (which `roots.test.ts` holds against SSZ). And what no root
 * covers must be empty, byte by byte.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { EMPTY_FORWARD } from "../../../services/chain/forward-state.ts";
import {
  capacityOf,
  createLaneColumns,
  growLaneColumns,
  isRoomEmpty,
  type LaneColumns,
  type LaneSize,
} from "../../../services/chain/lane-columns.ts";
import { laneStateRoot } from "../../../services/chain/lane-root.ts";
import { EMPTY_MESSAGES } from "../../../services/chain/message-state.ts";
import { InvariantError } from "../../../services/primitives/errors.ts";
import { METERS_PER_REGION_MAX } from "../../../services/primitives/limits.ts";

test.each([
  [0, 16],
  [16, 16],
  [17, 32],
  [127, 128],
  [128, 128],
  [129, 160],
  [1000, 1024],
  [1025, 1280],
  [METERS_PER_REGION_MAX, METERS_PER_REGION_MAX],
])("%i rows have room for %i", (rows, capacity) => {
  expect(capacityOf(rows)).toBe(capacity);
});

test("room is at most a quarter more, and columns move seldom", () => {
  let moves = 0;
  const wrong: number[] = [];
  for (let rows = 1; rows <= METERS_PER_REGION_MAX; rows++) {
    const capacity = capacityOf(rows);
    if (capacity < rows || capacity > Math.max(1.25 * rows, rows + 15)) wrong.push(rows);
    if (capacity !== capacityOf(rows - 1)) moves++;
  }
  expect(wrong).toEqual([]);
  expect(moves).toBeLessThan(50);
});

const size = fc.record({
  memberCount: fc.integer({ min: 0, max: 300 }),
  meterCount: fc.integer({ min: 0, max: 300 }),
});

test("a lane that grew is the lane that was made at its size", () => {
  fc.assert(
    fc.property(fc.array(size, { minLength: 1, maxLength: 8 }), (steps) => {
      let columns = createLaneColumns({ memberCount: 0, meterCount: 0 });
      let now: LaneSize = { memberCount: 0, meterCount: 0 };
      for (const step of steps) {
        const next = {
          memberCount: Math.max(now.memberCount, step.memberCount),
          meterCount: Math.max(now.meterCount, step.meterCount),
        };
        const grown = growLaneColumns(columns, next);
        const stays =
          capacityOf(next.memberCount) === capacityOf(now.memberCount) &&
          capacityOf(next.meterCount) === capacityOf(now.meterCount);
        expect(grown.memory === columns.memory).toBe(stays);
        fill(grown, now);
        columns = grown;
        now = next;
      }
      const atOnce = createLaneColumns(now);
      fill(atOnce, { memberCount: 0, meterCount: 0 });
      expect(new Uint8Array(columns.memory)).toEqual(new Uint8Array(atOnce.memory));
      expect(rootOf(columns)).toEqual(rootOf(atOnce));
      expect(isRoomEmpty(columns)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("a lane never shrinks", () => {
  const columns = createLaneColumns({ memberCount: 3, meterCount: 4 });
  expect(() => growLaneColumns(columns, { memberCount: 2, meterCount: 4 })).toThrow(InvariantError);
});

test("any byte in the room is found, and none of the rows", () => {
  const columns = createLaneColumns({ memberCount: 5, meterCount: 33 });
  const memory = new Uint8Array(columns.memory);
  const root = rootOf(columns);
  let room = 0;
  for (let at = 0; at < memory.length; at++) {
    memory[at] = 1;
    const isCovered = isRoomEmpty(columns);
    if (!isCovered) {
      room++;
      expect(rootOf(columns)).toEqual(root);
    }
    memory[at] = 0;
  }
  // Behind the counters; six columns of members, two of meters.
  expect(room).toBe(24 + (2 * 64 + 4 * 32) + 2 * 96);
});

/** Rows of a lane that did not stand in it at `before`. */
function fill(columns: LaneColumns, before: LaneSize): void {
  for (let m = before.memberCount; m < columns.memberUc.length; m++) {
    columns.memberUc[m] = BigInt(-m * 7);
    columns.minSellUcPerWh[m] = m - 50;
    columns.maxBuyUcPerWh[m] = m + 50;
    columns.pendingFromSlot[m] = BigInt(m);
  }
  for (let m = before.meterCount; m < columns.settledImportWh.length; m++) {
    columns.settledImportWh[m] = BigInt(m * 1000);
    columns.settledExportWh[m] = BigInt(m + 1);
  }
  columns.counters[0] = 9n;
  columns.policy[3] = 1;
  columns.historyFrontier[5] = 2;
}

function rootOf(columns: LaneColumns): Uint8Array {
  return laneStateRoot({ columns, pending: [], forward: EMPTY_FORWARD, messages: EMPTY_MESSAGES });
}
