/** Method: the limits of genesis at their edge, on the part of the schema that holds each. */
import { expect, test } from "vitest";
import {
  FORWARD_HORIZON_S_MAX,
  LINES_MAX,
  MEMBERS_PER_REGION_MAX,
} from "../../../services/primitives/limits.ts";
import { Genesis, GenesisForward, GenesisRegion } from "../../../services/wire/genesis.ts";

test("a region has at most MEMBERS_PER_REGION_MAX members", () => {
  const member = { label: "m", address: "00".repeat(20) };
  const takes = (count: number) =>
    GenesisRegion.shape.members.safeParse(Array(count).fill(member)).success;
  expect(takes(MEMBERS_PER_REGION_MAX)).toBe(true);
  expect(takes(MEMBERS_PER_REGION_MAX + 1)).toBe(false);
  expect(takes(0)).toBe(false);
});

test("a network has at most LINES_MAX lines", () => {
  const line = { id: "l", from: "a", to: "b", capacityWh: 1, feeUcPerWh: 0 };
  const takes = (count: number) => Genesis.shape.lines.safeParse(Array(count).fill(line)).success;
  expect(takes(LINES_MAX)).toBe(true);
  expect(takes(LINES_MAX + 1)).toBe(false);
});

test("the forward market opens at most FORWARD_HORIZON_S_MAX ahead", () => {
  const takes = (horizonS: number) => GenesisForward.safeParse({ horizonS }).success;
  expect(takes(FORWARD_HORIZON_S_MAX)).toBe(true);
  expect(takes(FORWARD_HORIZON_S_MAX + 1)).toBe(false);
});
