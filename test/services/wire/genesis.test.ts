/** Method: a refusal for each rule, by path and sentence; the hash ignores the order of keys. */
import { expect, test } from "vitest";
import { toHex } from "../../../services/primitives/bytes.ts";
import {
  forwardLaw,
  Genesis,
  genesisHash,
  meterTrust,
  oracleConfigDigest,
  oracleQuorum,
} from "../../../services/wire/genesis.ts";
import { sampleGenesis } from "./samples.ts";

const sample = sampleGenesis();
const [hill, lake] = sample.regions as [Genesis["regions"][0], Genesis["regions"][0]];

/** Where the refusal points, what it says, and the values that earn it. */
const CASES: readonly (readonly [string, string, Record<string, unknown>])[] = [
  ["genesisTimeS", "slot boundary", { genesisTimeS: sample.genesisTimeS + 1 }],
  ["feedInUcPerWh", "not be above", { feedInUcPerWh: sample.retailUcPerWh + 1 }],
  ["forward.gateClosureS", "whole number of slots", { forward: { gateClosureS: 1000 } }],
  ["forward.horizonS", "below gateClosureS", { forward: { gateClosureS: 1800, horizonS: 900 } }],
  ["forward.shortUcPerWh", "below retail", { forward: { shortUcPerWh: sample.retailUcPerWh - 1 } }],
  ["forward.longUcPerWh", "above feedIn", { forward: { longUcPerWh: sample.feedInUcPerWh + 1 } }],
  ["oracle.faultyMax", "third", { "oracle.faultyMax": 1 }],
  ["slotS", "60", { slotS: 30 }],
  ["sequencerPublicKey", "32 bytes", { sequencerPublicKey: "00" }],
  ["regions.1.id", "not unique", { "regions.1.id": hill.id }],
  ["regions.0.id", "lower case", { "regions.0.id": "Hill" }],
  [
    "regions.1.members.0.address",
    "not unique",
    { "regions.1.members.0.address": hill.members[0]!.address },
  ],
  [
    "regions.0.meters.1.deviceId",
    "not unique",
    { "regions.0.meters.1.deviceId": hill.meters[0]!.deviceId },
  ],
  ["regions.0.meters.0.publicKey", "for p256", { "regions.0.meters.0.algorithm": "p256" }],
  ["regions.1.meters.0.memberIndex", "feeder", { "regions.1.meters.0.memberIndex": 0 }],
  ["regions.0.meters.0.memberIndex", "feeder", { "regions.0.meters.0.memberIndex": null }],
  ["regions.0.meters.0.memberIndex", "no member", { "regions.0.meters.0.memberIndex": 1 }],
  ["lines.0.to", "differ", { "lines.0.to": hill.id }],
  ["lines.0.to", "no region", { "lines.0.to": `${lake.id}-2` }],
  ["lines.1.id", "not unique", { "lines.1": sample.lines[0] }],
];

function edited(values: Record<string, unknown>): unknown {
  const genesis = structuredClone(sample);
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split(".");
    let at = genesis as unknown as Record<string, unknown>;
    for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
    at[keys.at(-1)!] = value;
  }
  return genesis;
}

test("the sample itself is a genesis", () => {
  expect(Genesis.safeParse(edited({})).success).toBe(true);
});

test("the forward law has its defaults in one place, and they change no genesis", () => {
  const tariff = { retailUcPerWh: 30_000, feedInUcPerWh: 8_000 };
  const law = { horizonS: 86_400, shortUcPerWh: 30_000, longUcPerWh: 8_000 };
  expect(forwardLaw({ slotS: 900, ...tariff })).toEqual({ gateClosureS: 900, ...law });
  expect(forwardLaw({ slotS: 3600, ...tariff })).toEqual({ gateClosureS: 3600, ...law });
  expect(forwardLaw({ slotS: 60, ...tariff })).toEqual({ gateClosureS: 900, ...law });
  const own = { gateClosureS: 0, horizonS: 7_200, shortUcPerWh: 40_000, longUcPerWh: -100 };
  expect(forwardLaw({ slotS: 900, ...tariff, forward: own })).toEqual(own);
  expect(sample.forward).toBeUndefined();
  expect(Genesis.parse(edited({ forward: own })).forward).toEqual(own);
});

test.each(CASES)("%s: %s", (path, sentence, values) => {
  const issues = Genesis.safeParse(edited(values)).error?.issues ?? [];
  const found = issues.filter((issue) => issue.path.join(".") === path);
  expect(found.map((issue) => issue.message).join("; ")).toContain(sentence);
});

test("unknown keys are refused: a typing error must not become a default", () => {
  expect(Genesis.safeParse({ ...sampleGenesis(), slots: 900 }).success).toBe(false);
});

test("the hash does not depend on the order of keys, and sees every change", () => {
  const genesis = sampleGenesis();
  const reversed = Object.fromEntries(Object.entries(genesis).reverse()) as Genesis;
  expect(toHex(genesisHash(reversed))).toBe(toHex(genesisHash(genesis)));
  const changed = structuredClone(genesis);
  changed.regions[1]!.meters[0]!.openingImportWh++;
  expect(toHex(genesisHash(changed))).not.toBe(toHex(genesisHash(genesis)));
  expect(toHex(oracleConfigDigest(changed))).not.toBe(toHex(oracleConfigDigest(genesis)));
});

test.each([
  [1, 0, 1],
  [4, 1, 3],
  [5, 1, 4],
  [6, 1, 4],
  [7, 2, 5],
  [10, 3, 7],
])("%i members with %i faulty need %i signatures", (members, faultyMax, quorum) => {
  const genesis = sampleGenesis();
  const oracle = { ...genesis.oracle, members: Array(members).fill(genesis.oracle.members[0]) };
  expect(oracleQuorum({ ...genesis, oracle: { ...oracle, faultyMax } })).toBe(quorum);
});

test("the trust of a meter may be left out, and then changes no hash", () => {
  const meter = hill.meters[0]!;
  expect(meterTrust(meter)).toBe("meter-signed");
  const told = structuredClone(sample);
  told.regions[0]!.meters[0]!.trust = "gateway-signed";
  expect(meterTrust(Genesis.parse(told).regions[0]!.meters[0]!)).toBe("gateway-signed");
  expect(genesisHash(told)).not.toEqual(genesisHash(sample));
  const undone = { ...structuredClone(sample) };
  undone.regions[0]!.meters[0]!.trust = undefined;
  expect(genesisHash(undone)).toEqual(genesisHash(sample));
});
