/**
 * Method: outside truth first. 41 traces that Informal Systems made from a TLA+ model of the light
 * client: each step's verdict exactly. Then small chains with keys of our own: every bit of a light
 * block flipped, each fault by name, thresholds at their edges, and the strict reader.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  headerHash,
  orderedValidators,
  treeHash,
  validatorAddress,
  validatorsHash,
  voteSignBytes,
} from "../../../../services/chain/light-client/cometbft/hashes.ts";
import { varint } from "../../../../services/chain/light-client/cometbft/protobuf.ts";
import {
  base64,
  readSignedHeader,
  readTime,
  readValidators,
} from "../../../../services/chain/light-client/cometbft/rpc-json.ts";
import type {
  CometHeader,
  Commit,
  CommitSignature,
  LightBlock,
  TrustedBlock,
  Validator,
} from "../../../../services/chain/light-client/cometbft/types.ts";
import {
  type LightOptions,
  verifyLightBlock,
} from "../../../../services/chain/light-client/cometbft/verify.ts";
import { ed25519PublicKey, signEd25519 } from "../../../../services/crypto/ed25519.ts";
import { sha256 } from "../../../../services/crypto/hash.ts";
import { toHex, utf8 } from "../../../../services/primitives/bytes.ts";
import { GridError } from "../../../../services/primitives/errors.ts";
import { VALIDATORS_MAX } from "../../../../services/primitives/limits.ts";

const DATA = new URL("../../../../../shared/data/tendermint-light-mbt/", import.meta.url);
const SUITE = "light-client/tests/support/model_based/single_step/";
const FOLDER = fileURLToPath(new URL(SUITE, DATA));
const isAbsent = !existsSync(FOLDER);

type Trace = {
  initial: {
    signed_header: unknown;
    next_validator_set: unknown;
    trusting_period: string;
    now: string;
  };
  input: {
    block: { signed_header: unknown; validator_set: unknown; next_validator_set: unknown };
    now: string;
    verdict: "SUCCESS" | "NOT_ENOUGH_TRUST" | "INVALID";
  }[];
};

const VERDICTS = { trusted: "SUCCESS", not_enough_trust: "NOT_ENOUGH_TRUST", invalid: "INVALID" };

describe.skipIf(isAbsent)("traces of the TLA+ model", () => {
  const names = isAbsent ? [] : readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
  const seen: Record<string, number> = {};

  test.each(names)("%s", (name) => {
    const { initial, input } = JSON.parse(readFileSync(`${FOLDER}${name}`, "utf8")) as Trace;
    let trusted: TrustedBlock = {
      header: readSignedHeader(initial.signed_header).header,
      nextValidators: readValidators(initial.next_validator_set),
    };
    for (const { block: json, now, verdict } of input) {
      const block: LightBlock = {
        ...readSignedHeader(json.signed_header),
        validators: readValidators(json.validator_set),
        nextValidators: readValidators(json.next_validator_set),
      };
      const result = verifyLightBlock(trusted, block, {
        nowS: readTime(now, "now"),
        trustingPeriodNs: BigInt(initial.trusting_period),
        clockDriftNs: 0n,
      });
      expect(VERDICTS[result.kind], JSON.stringify(result)).toBe(verdict);
      seen[verdict] = (seen[verdict] ?? 0) + 1;
      if (result.kind === "trusted") trusted = block;
    }
  });

  test("all 41 were run, with all their verdicts", () => {
    expect(names).toHaveLength(41);
    expect(seen).toEqual({ SUCCESS: 44, NOT_ENOUGH_TRUST: 42, INVALID: 13 });
  });
});

const secretOf = (n: number) => sha256(utf8(`cometbft validator ${n}`));
const secrets = new Map<string, Uint8Array>();

function validator(n: number, votingPower: bigint): Validator {
  const publicKey = ed25519PublicKey(secretOf(n));
  const address = validatorAddress(publicKey);
  secrets.set(toHex(address), secretOf(n));
  return { address, publicKey, votingPower };
}

type Shape = {
  readonly height: number;
  readonly validators: readonly Validator[];
  readonly nextValidators: readonly Validator[];
  readonly signers?: readonly Validator[]; // default: all
  readonly header?: Partial<CometHeader>;
};

const NS = 1_000_000_000n;
const START_S = 1_700_000_000;

/** A block at 10 seconds a height, signed with the keys of its signers. */
function lightBlock(shape: Shape): LightBlock {
  const validators = orderedValidators(shape.validators);
  const seconds = START_S + 10 * shape.height;
  const header: CometHeader = {
    version: { block: 11n, app: 1n },
    chainId: "gridlane-village",
    height: shape.height,
    time: { seconds, nanos: 5 },
    lastBlockId: { hash: sha256(), parts: { total: 1, hash: sha256() } },
    lastCommitHash: sha256(utf8("commit")),
    dataHash: sha256(utf8("data")),
    validatorsHash: validatorsHash(validators),
    nextValidatorsHash: validatorsHash(orderedValidators(shape.nextValidators)),
    consensusHash: sha256(utf8("consensus")),
    appHash: sha256(utf8("app")),
    lastResultsHash: sha256(utf8("results")),
    evidenceHash: sha256(utf8("evidence")),
    proposerAddress: validators[0]!.address,
    ...shape.header,
  };
  const signers = new Set((shape.signers ?? validators).map(({ address }) => toHex(address)));
  const blank = validators.map(({ address }): CommitSignature => {
    const isSigner = signers.has(toHex(address));
    return {
      flag: isSigner ? 2 : 1,
      validatorAddress: isSigner ? address : new Uint8Array(0),
      timestamp: { seconds: isSigner ? seconds + 1 : 0, nanos: 0 },
      signature: new Uint8Array(0),
    };
  });
  const parts = { total: 1, hash: sha256(utf8("parts")) };
  const blockId = { hash: headerHash(header), parts };
  const commit: Commit = { height: header.height, round: 0, blockId, signatures: blank };
  const signatures = blank.map((vote, i) => {
    if (vote.flag !== 2) return vote;
    const message = voteSignBytes(header.chainId, commit, i);
    const secretKey = secrets.get(toHex(vote.validatorAddress))!;
    return { ...vote, signature: signEd25519({ message, secretKey }) };
  });
  return {
    header,
    commit: { ...commit, signatures },
    validators: shape.validators,
    nextValidators: shape.nextValidators,
  };
}

const four = [1, 2, 3, 4].map((n) => validator(n, 10n));
const other = [5, 6, 7, 8].map((n) => validator(n, 10n));
const trusted = lightBlock({ height: 5, validators: four, nextValidators: four });
const next = lightBlock({ height: 6, validators: four, nextValidators: other });
const options: LightOptions = {
  nowS: { seconds: START_S + 1000, nanos: 0 },
  trustingPeriodNs: 3600n * NS,
  clockDriftNs: 0n,
};
const kind = (block: LightBlock, from: TrustedBlock = trusted, how = options) => {
  const verdict = verifyLightBlock(from, block, how);
  return verdict.kind === "invalid" ? verdict.fault : verdict.kind;
};

test("adjacent: the set that the trusted header names, however it changes after", () => {
  expect(kind(next)).toBe("trusted");
  const rotated = lightBlock({ height: 7, validators: other, nextValidators: four });
  expect(kind(rotated, next)).toBe("trusted");
  const usurped = lightBlock({ height: 6, validators: other, nextValidators: other });
  expect(kind(usurped)).toBe("validators_mismatched");
});

test("skipping: more than a third of the trusted set, more than two thirds of the new", () => {
  const at = (validators: readonly Validator[], signers = validators) =>
    kind(lightBlock({ height: 9, validators, nextValidators: validators, signers }));
  expect(at(four)).toBe("trusted");
  expect(at(other)).toBe("not_enough_trust");
  // 40 in the trusted set: 13 is a third rounded down, and one of ten is not above it.
  expect(at([four[0]!, ...other])).toBe("not_enough_trust");
  expect(at([four[0]!, four[1]!, ...other])).toBe("trusted");
  // Two thirds of 40, rounded down, are 26: three of four exceed it, two do not.
  expect(at(four, four.slice(0, 3))).toBe("trusted");
  expect(at(four, four.slice(0, 2))).toBe("power_insufficient");
  // Exactly two thirds are not more than two thirds.
  const three = four.slice(0, 3);
  expect(at(three, three.slice(1))).toBe("power_insufficient");
  // Whoever left the set does not vouch with a power it has elsewhere.
  const heavy = { ...four[0]!, votingPower: 1000n };
  expect(at([heavy, ...other])).toBe("not_enough_trust");
});

test("a header that names no next set is followed by nobody", () => {
  const last = lightBlock({ height: 6, validators: four, nextValidators: [] });
  expect(kind(last)).toBe("trusted");
  for (const validators of [four, other]) {
    const after = { validators, nextValidators: validators };
    expect(kind(lightBlock({ height: 7, ...after }), last)).toBe("validators_mismatched");
    expect(kind(lightBlock({ height: 8, ...after }), last)).toBe("not_enough_trust");
  }
});

test("each fault by its name", () => {
  const base = { height: 9, validators: four, nextValidators: four };
  const shaped = (header: Partial<CometHeader>) => kind(lightBlock({ ...base, header }));
  expect(shaped({ chainId: "another" })).toBe("chain_mismatched");
  expect(shaped({ chainId: "x".repeat(51) })).toBe("header_malformed");
  expect(shaped({ version: { block: 10n, app: 0n } })).toBe("header_malformed");
  expect(shaped({ proposerAddress: new Uint8Array(19) })).toBe("header_malformed");
  expect(shaped({ dataHash: new Uint8Array(31) })).toBe("header_malformed");
  expect(shaped({ time: { seconds: START_S, nanos: -1 } })).toBe("header_malformed");
  expect(shaped({ time: trusted.header.time })).toBe("time_not_after");
  expect(shaped({ time: options.nowS })).toBe("time_in_future");
  const drift = { ...options, clockDriftNs: 1n };
  expect(kind(lightBlock({ ...base, header: { time: options.nowS } }), trusted, drift)).toBe(
    "trusted",
  );
  expect(kind(lightBlock({ ...base, height: 5 }))).toBe("height_not_above");
  expect(kind(lightBlock({ ...base, height: 4 }))).toBe("height_not_above");
  const late = { seconds: trusted.header.time.seconds + 3600, nanos: 5 };
  const expiry = { ...options, nowS: late };
  expect(kind(lightBlock(base), trusted, expiry)).toBe("trusted_expired");
  expect(kind(lightBlock(base), trusted, { ...expiry, nowS: { ...late, nanos: 4 } })).toBe(
    "trusted",
  );
  const block = lightBlock(base);
  const { commit } = block;
  expect(kind({ ...block, commit: { ...commit, height: 8 } })).toBe("commit_mismatched");
  expect(kind({ ...block, commit: { ...commit, signatures: commit.signatures.slice(1) } })).toBe(
    "commit_mismatched",
  );
  expect(kind({ ...block, validators: other })).toBe("validators_mismatched");
  expect(kind({ ...block, validators: [] })).toBe("validators_mismatched");
  expect(kind({ ...block, validators: [...four, four[0]!] })).toBe("validators_mismatched");
  expect(kind({ ...block, nextValidators: other })).toBe("validators_mismatched");
  const weightless = [{ ...four[0]!, votingPower: 0n }, ...four.slice(1)];
  expect(kind(lightBlock({ ...base, validators: weightless }))).toBe("validators_mismatched");
  const misnamed = [{ ...four[0]!, address: new Uint8Array(20) }, ...four.slice(1)];
  expect(kind({ ...block, validators: misnamed })).toBe("validators_mismatched");
  const vote = (change: Partial<CommitSignature>) => ({
    ...block,
    commit: {
      ...commit,
      signatures: commit.signatures.map((one, i) => (i === 0 ? { ...one, ...change } : one)),
    },
  });
  expect(kind(vote({ signature: new Uint8Array(64) }))).toBe("signature_invalid");
  expect(kind(vote({ validatorAddress: four[3]!.address }))).toBe("signature_invalid");
  expect(kind(vote({ timestamp: { seconds: 1, nanos: 0 } }))).toBe("signature_invalid");
  // A vote for nil is no vote for the block; the other three are enough.
  expect(kind(vote({ flag: 3, signature: new Uint8Array(64) }))).toBe("trusted");
});

test("the largest set is judged, one more is refused", () => {
  const many = Array.from({ length: VALIDATORS_MAX + 1 }, (_, i) => ({
    ...{ address: sha256(utf8(`${i}`)).slice(0, 20), publicKey: new Uint8Array(32) },
    votingPower: 1n,
  }));
  const json = (validators: typeof many) => ({
    validators: validators.map(({ address }) => ({
      address: toHex(address),
      pub_key: { type: "tendermint/PubKeyEd25519", value: `${"A".repeat(43)}=` },
      voting_power: "1",
    })),
  });
  expect(readValidators(json(many.slice(1)))).toHaveLength(VALIDATORS_MAX);
  expect(() => readValidators(json(many))).toThrow(/validators/);
  expect(kind({ ...next, validators: many })).toBe("validators_mismatched");
});

/** Every byte string of a block that takes part in what is signed. */
function flipped(block: LightBlock, part: number, at: number, bit: number): LightBlock {
  const flip = (bytes: Uint8Array) => {
    const out = bytes.slice();
    out[at % out.length]! ^= 1 << bit;
    return out;
  };
  const { header, commit } = block;
  const inHeader = (
    ["lastCommitHash", "dataHash", "validatorsHash", "nextValidatorsHash", "consensusHash"] as const
  ).map((name) => () => ({ ...block, header: { ...header, [name]: flip(header[name]) } }));
  const more = (["appHash", "lastResultsHash", "evidenceHash", "proposerAddress"] as const).map(
    (name) => () => ({ ...block, header: { ...header, [name]: flip(header[name]) } }),
  );
  const { blockId, signatures } = commit;
  const inCommit = [
    () => ({ ...commit, blockId: { ...blockId, hash: flip(blockId.hash) } }),
    () => {
      const parts = { ...blockId.parts, hash: flip(blockId.parts.hash) };
      return { ...commit, blockId: { ...blockId, parts } };
    },
    ...signatures.flatMap((one, i) =>
      (["signature", "validatorAddress"] as const).map((name) => () => ({
        ...commit,
        signatures: signatures.map((vote, j) =>
          i === j ? { ...one, [name]: flip(one[name]) } : vote,
        ),
      })),
    ),
  ].map((change) => () => ({ ...block, commit: change() }));
  const inSet = (["validators", "nextValidators"] as const).flatMap((set) =>
    block[set].flatMap((_, i) =>
      (["address", "publicKey"] as const).map((name) => () => ({
        ...block,
        [set]: block[set].map((one, j) => (i === j ? { ...one, [name]: flip(one[name]) } : one)),
      })),
    ),
  );
  const changes = [...inHeader, ...more, ...inCommit, ...inSet];
  return changes[part % changes.length]!();
}

test("a flipped bit anywhere is refused where every signature is needed", () => {
  // Three of four have just more than two thirds: none can be missed.
  const three = four.slice(0, 3);
  const tight = lightBlock({ height: 6, validators: four, nextValidators: other, signers: three });
  expect(kind(tight)).toBe("trusted");
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(7), (part, at, bit) => {
      const changed = flipped(tight, part, at, bit);
      const isSame = JSON.stringify(changed, text) === JSON.stringify(tight, text);
      expect(kind(changed) === "trusted").toBe(isSame);
    }),
    { numRuns: 400 },
  );
});

const text = (_: string, value: unknown) =>
  typeof value === "bigint" ? value.toString() : value instanceof Uint8Array ? toHex(value) : value;

test("RFC 6962 trees: the empty one, one leaf, and the split below a power of two", () => {
  const leaf = (bytes: Uint8Array) => sha256(Uint8Array.of(0), bytes);
  const node = (left: Uint8Array, right: Uint8Array) => sha256(Uint8Array.of(1), left, right);
  const [a, b, c, d, e] = [1, 2, 3, 4, 5].map((n) => Uint8Array.of(n)) as Uint8Array[];
  expect(toHex(treeHash([]))).toBe(
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
  expect(toHex(treeHash([new Uint8Array(0)]))).toBe(
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", // RFC 6962's own
  );
  const full = node(node(leaf(a!), leaf(b!)), node(leaf(c!), leaf(d!)));
  expect(treeHash([a!, b!, c!, d!])).toEqual(full);
  expect(treeHash([a!, b!, c!, d!, e!])).toEqual(node(full, leaf(e!)));
});

test.each([
  [0n, "00"],
  [127n, "7f"],
  [128n, "8001"],
  [300n, "ac02"],
  [2n ** 64n - 1n, "ffffffffffffffffff01"],
  [-1n, "ffffffffffffffffff01"],
  [-62_135_596_800n, "8092b8c398feffffff01"], // Go's zero time, as CometBFT's tests have it
])("varint of %s is %s", (value, hex) => {
  expect(toHex(varint(value))).toBe(hex);
});

test("times read as the platform reads them, to the nanosecond", () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), noInvalidDate: true }), (date) => {
      if (date.getUTCFullYear() > 9999) return;
      const ms = date.getTime();
      expect(readTime(date.toISOString(), "t")).toEqual({
        seconds: Math.floor(ms / 1000),
        nanos: (ms % 1000) * 1_000_000,
      });
    }),
  );
  expect(readTime("0001-01-01T00:00:00Z", "t").seconds).toBe(-62_135_596_800);
  expect(readTime("2020-11-18T12:36:18.160570297Z", "t").nanos).toBe(160_570_297);
  for (const wrong of [
    ...["2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-01-01"],
    ...["2023-01-01T24:00:00Z", "2023-01-01T00:60:00Z", "2023-01-01T00:00:00+01:00", ""],
    ...["2023-01-01T00:00:00.1234567890Z", "2023-01-32T00:00:00Z"],
  ]) {
    expect(() => readTime(wrong, "when"), wrong).toThrow(/when/);
  }
});

test("base64 reads as the platform reads it, and only its one form", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      expect(base64(Buffer.from(bytes).toString("base64"), "b")).toEqual(bytes);
    }),
  );
  for (const wrong of ["A", "AA", "AAA", "AB==", "AAB=", "A===", "AA=A", "A-==", " AAA", 4]) {
    expect(() => base64(wrong, "sig"), String(wrong)).toThrow(/sig/);
  }
});

test("any JSON is read or refused by code", () => {
  const readers = [readSignedHeader, readValidators];
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const read of readers) {
        const shapes = [value, { header: value, commit: value }, { validators: value }];
        for (const shape of shapes) {
          try {
            read(shape);
          } catch (failure) {
            if (!(failure instanceof GridError)) throw failure;
            expect(failure.code).toBe("bytes_malformed");
          }
        }
      }
    }),
  );
});
