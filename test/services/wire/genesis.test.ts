/** Method: one refusal a rule, by path and sentence; the hash ignores order and sees every value. */
import { expect, test } from "vitest";
import { toHex } from "../../../services/primitives/bytes.ts";
import {
  Genesis,
  genesisHash,
  oracleConfigDigest,
  oracleQuorum,
} from "../../../services/wire/genesis.ts";
import { sampleGenesis } from "./samples.ts";

type Editable = ReturnType<typeof sampleGenesis>;

const CASES: readonly [string, string, (genesis: Editable) => void][] = [
  ["genesisTimeS", "slot boundary", (g) => void (g.genesisTimeS += 1)],
  ["feedInUcPerWh", "not be above", (g) => void (g.feedInUcPerWh = g.retailUcPerWh + 1)],
  ["oracle.faultyMax", "third", (g) => void (g.oracle.faultyMax = 1)],
  ["slotS", "60", (g) => void (g.slotS = 30)],
  ["sequencerPublicKey", "32 bytes", (g) => void (g.sequencerPublicKey += "00")],
  ["regions.1.id", "not unique", (g) => void (g.regions[1]!.id = g.regions[0]!.id)],
  ["regions.0.id", "lower case", (g) => void (g.regions[0]!.id = "Hill")],
  [
    "regions.1.members.0.address",
    "not unique",
    (g) => void (g.regions[1]!.members[0]!.address = g.regions[0]!.members[0]!.address),
  ],
  [
    "regions.0.meters.1.deviceId",
    "not unique",
    (g) => void (g.regions[0]!.meters[1]!.deviceId = g.regions[0]!.meters[0]!.deviceId),
  ],
  [
    "regions.0.meters.0.publicKey",
    "for p256",
    (g) => void (g.regions[0]!.meters[0]!.algorithm = "p256"),
  ],
  [
    "regions.1.meters.0.memberIndex",
    "feeder",
    (g) => void (g.regions[1]!.meters[0]!.memberIndex = 0),
  ],
  [
    "regions.0.meters.0.memberIndex",
    "feeder",
    (g) => void (g.regions[0]!.meters[0]!.memberIndex = null),
  ],
  [
    "regions.0.meters.0.memberIndex",
    "no member",
    (g) => void (g.regions[0]!.meters[0]!.memberIndex = 1),
  ],
  ["lines.0.to", "differ", (g) => void (g.lines[0]!.to = "hill")],
  ["lines.0.to", "no region", (g) => void (g.lines[0]!.to = "nowhere")],
  ["lines.1.id", "not unique", (g) => void g.lines.push({ ...g.lines[0]! })],
];

test.each(CASES)("%s: %s", (path, sentence, edit) => {
  const genesis = structuredClone(sampleGenesis());
  edit(genesis);
  const issues = Genesis.safeParse(genesis).error?.issues ?? [];
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
