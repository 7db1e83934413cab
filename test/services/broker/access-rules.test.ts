/**
 * Method: every rule as a row, then properties over random topics: a device can do nothing under
 * any id, region or leaf but its own, and no wildcard ever helps it.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gridlaneRules, type Principal } from "../../../services/broker/access-rules.ts";
import { fromHex } from "../../../services/primitives/bytes.ts";
import { leafTopic, METER, OTHER_METER } from "../../support/broker-devices.ts";

const device: Principal = { kind: "device", deviceId: fromHex(METER), region: "oak" };
const member: Principal = { kind: "member", memberId: "m1" };

describe("publishing", () => {
  test.each([
    { who: device, topic: leafTopic("r"), retain: false, may: true },
    { who: device, topic: leafTopic("r"), retain: true, may: false },
    { who: device, topic: leafTopic("b"), retain: false, may: true },
    { who: device, topic: leafTopic("b"), retain: true, may: false },
    { who: device, topic: leafTopic("state"), retain: false, may: true },
    { who: device, topic: leafTopic("state"), retain: true, may: true },
    { who: device, topic: leafTopic("ack"), retain: false, may: false },
    { who: device, topic: leafTopic("cmd"), retain: false, may: false },
    { who: device, topic: `${leafTopic("r")}/x`, retain: false, may: false },
    { who: device, topic: leafTopic("r").toUpperCase(), retain: false, may: false },
    { who: device, topic: leafTopic("r", OTHER_METER), retain: false, may: false },
    { who: device, topic: `gridlane/v1/elm/m/${METER}/r`, retain: false, may: false },
    { who: device, topic: `gridlane/v2/oak/m/${METER}/r`, retain: false, may: false },
    { who: device, topic: "gridlane/v1/oak/pub/price", retain: false, may: false },
    { who: member, topic: leafTopic("ack"), retain: false, may: true },
    { who: member, topic: leafTopic("ack"), retain: true, may: false },
    { who: member, topic: leafTopic("cmd"), retain: false, may: true },
    { who: member, topic: leafTopic("r"), retain: false, may: false },
    { who: member, topic: "gridlane/v1/oak/pub/price", retain: true, may: true },
    { who: member, topic: "gridlane/v1/oak/o/m1/share", retain: false, may: true },
    { who: member, topic: "gridlane/v1/oak/o/m2/share", retain: false, may: false },
    { who: member, topic: "gridlane/v1/oak/o/m1/share", retain: true, may: false },
    { who: member, topic: "elsewhere/v1/oak/pub/x", retain: false, may: false },
    { who: member, topic: "$SYS/x", retain: false, may: false },
  ])("$who.kind on $topic, retained $retain: $may", ({ who, topic, retain, may }) => {
    expect(gridlaneRules.mayPublish(who, { topic, retain })).toBe(may);
  });
});

describe("subscribing", () => {
  test.each([
    { who: device, filter: leafTopic("ack"), may: true },
    { who: device, filter: leafTopic("r"), may: false },
    { who: device, filter: leafTopic("ack", OTHER_METER), may: false },
    { who: device, filter: "#", may: false },
    { who: device, filter: leafTopic("+"), may: false },
    { who: device, filter: leafTopic("#"), may: false },
    { who: device, filter: "gridlane/v1/+/m/+/ack", may: false },
    { who: member, filter: "gridlane/v1/+/m/+/r", may: true },
    { who: member, filter: "gridlane/v1/oak/m/#", may: true },
    { who: member, filter: "#", may: false },
    { who: member, filter: "$SYS/#", may: false },
    { who: member, filter: "gridlane/#", may: false },
  ])("$who.kind to $filter: $may", ({ who, filter, may }) => {
    expect(gridlaneRules.maySubscribe(who, filter)).toBe(may);
  });
});

test("a device touches nothing but its own four topics", () => {
  const part = fc.oneof(
    fc.constantFrom("gridlane", "v1", "oak", "elm", "m", METER, OTHER_METER, "r", "ack", "state"),
    fc.constantFrom("+", "#", "", "$SYS", "__proto__"),
    fc.string({ maxLength: 6 }),
  );
  const topics = fc.oneof(
    fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("/")),
    fc.tuple(part, part, part).map(([a, b, c]) => `gridlane/v1/${a}/m/${b}/${c}`),
  );
  const own = ["r", "b", "state"].map((leaf) => leafTopic(leaf));
  fc.assert(
    fc.property(topics, fc.boolean(), (topic, retain) => {
      const mayPublish = gridlaneRules.mayPublish(device, { topic, retain });
      expect(mayPublish && !own.includes(topic)).toBe(false);
      const heard = gridlaneRules.maySubscribe(device, topic);
      expect(heard).toBe(topic === leafTopic("ack"));
      expect(gridlaneRules.mayReceive(device, topic)).toBe(heard);
    }),
    { numRuns: 2000 },
  );
});
