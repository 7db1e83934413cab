/**
 * Method: viem is the outside truth, in both directions: what it signs we read and recover, what we
 * sign it parses and recovers, calldata and addresses included. Then what must not be read.
 */
import fc from "fast-check";
import {
  encodeFunctionData,
  getAddress,
  type Hex,
  parseAbi,
  parseTransaction,
  recoverTransactionAddress,
  keccak256 as viemKeccak256,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { expect, test } from "vitest";
import { fromHex, toHex, toHex0x } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { PRICE_UC_PER_WH_MAX, REGIONS_MAX } from "../../../services/primitives/limits.ts";
import { decodeRlp, encodeRlp, type RlpValue } from "../../../services/wire/rlp.ts";
import {
  decodeMemberTransaction,
  decodeSetLimits,
  encodeSetLimits,
  marketAddress,
  memberAddress,
  memberTransactionHash,
  regionOfMarket,
  signMemberTransaction,
} from "../../../services/wire/transaction.ts";
import { memberSecretKey, sampleTransaction, seedOf } from "./samples.ts";

const ABI = parseAbi(["function setLimits(int64 minSellUcPerWh, int64 maxBuyUcPerWh)"]);
const account = privateKeyToAccount(toHex0x(memberSecretKey) as Hex);
const signed = signMemberTransaction({
  transaction: sampleTransaction(),
  secretKey: memberSecretKey,
});

const anyTransaction = fc.record({
  chainId: fc.integer({ min: 1, max: 0xffff_ffff }),
  nonce: fc.integer({ min: 0, max: 2 ** 40 }),
  region: fc.integer({ min: 0, max: REGIONS_MAX - 1 }),
  data: fc.uint8Array({ maxLength: 80 }),
  member: fc.nat(1000),
});

test("what we sign, viem parses to the same transaction and the same sender", async () => {
  await fc.assert(
    fc.asyncProperty(anyTransaction, async ({ chainId, nonce, region, data, member }) => {
      const secretKey = seedOf(`member ${member}`);
      const to = marketAddress(region);
      const bytes = signMemberTransaction({ transaction: { chainId, nonce, to, data }, secretKey });
      const serializedTransaction = toHex0x(bytes) as `0x02${string}`;
      const parsed = parseTransaction(serializedTransaction);
      expect(parsed).toMatchObject({ type: "eip1559", chainId, to: toHex0x(to) });
      expect(parsed.nonce ?? 0).toBe(nonce);
      expect(parsed.data ?? "0x").toBe(toHex0x(data));
      expect(parsed.value ?? 0n).toBe(0n);
      const sender = await recoverTransactionAddress({ serializedTransaction });
      expect(sender).toBe(getAddress(toHex0x(memberAddress(secretKey))));
      expect(toHex0x(memberTransactionHash(bytes))).toBe(viemKeccak256(toHex0x(bytes) as Hex));
    }),
    { numRuns: 30 },
  );
});

test("what a wallet signs, with its own fees and gas, we read and recover", async () => {
  const { to, data, chainId, nonce } = sampleTransaction();
  for (const fees of [
    { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n, gas: 21_000n },
    { maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1n, gas: 0xffff_ffffn },
  ]) {
    const wallet = await account.signTransaction({
      ...fees,
      type: "eip1559",
      chainId,
      nonce,
      to: toHex0x(to) as Hex,
      data: toHex0x(data) as Hex,
    });
    const read = decodeMemberTransaction(fromHex(wallet));
    expect(read).toMatchObject({ chainId, nonce, to, data });
    expect(toHex0x(read.sender!)).toBe(account.address.toLowerCase());
    expect(toHex0x(memberTransactionHash(fromHex(wallet)))).toBe(viemKeccak256(wallet));
  }
});

test("an address is what viem derives from the key", () => {
  expect(toHex0x(memberAddress(memberSecretKey))).toBe(account.address.toLowerCase());
});

test("setLimits is encoded as Solidity's ABI does, negative prices too", () => {
  const price = fc.integer({ min: -PRICE_UC_PER_WH_MAX, max: PRICE_UC_PER_WH_MAX });
  fc.assert(
    fc.property(price, price, (minSellUcPerWh, maxBuyUcPerWh) => {
      const limits = { minSellUcPerWh, maxBuyUcPerWh };
      const data = encodeFunctionData({
        abi: ABI,
        args: [BigInt(minSellUcPerWh), BigInt(maxBuyUcPerWh)],
      });
      expect(toHex0x(encodeSetLimits(limits))).toBe(data);
      expect(decodeSetLimits(fromHex(data))).toEqual(limits);
    }),
  );
});

const call = (min: bigint, max: bigint) =>
  fromHex(encodeFunctionData({ abi: ABI, args: [min, max] }));
const limit = BigInt(PRICE_UC_PER_WH_MAX);

test.each<[string, Uint8Array]>([
  ["no calldata", new Uint8Array(0)],
  ["another selector", call(1n, 2n).fill(0, 0, 4)],
  ["a byte too few", call(1n, 2n).slice(0, -1)],
  ["a byte too many", fromHex(`${toHex(call(1n, 2n))}00`)],
  ["a sell limit above the range", call(limit + 1n, 0n)],
  ["a buy limit below the range", call(0n, -limit - 1n)],
  ["an integer wider than 64 bits", call(1n, 2n).fill(1, 4, 5)],
  ["a sign that does not extend", call(-1n, 2n).fill(0, 4, 5)],
])("no setLimits call: %s", (_name, data) => {
  expect(decodeSetLimits(data)).toBeNull();
});

test("markets have addresses by region, and nothing else is one", () => {
  for (const region of [0, 1, 255, 256, 1023])
    expect(regionOfMarket(marketAddress(region))).toBe(region);
  expect(regionOfMarket(memberAddress(memberSecretKey))).toBeNull();
});

/** The signed sample with one field of its RLP list replaced. */
function withField(index: number, value: RlpValue): Uint8Array {
  const fields = [...(decodeRlp(signed.subarray(1)) as RlpValue[])];
  fields[index] = value;
  return Uint8Array.of(2, ...encodeRlp(fields));
}

const one = Uint8Array.of(1);
test.each<[string, Uint8Array]>([
  ["type", Uint8Array.of(1, ...signed.subarray(1))],
  ["type", new Uint8Array(0)],
  [
    "fields",
    Uint8Array.of(2, ...encodeRlp([...(decodeRlp(signed.subarray(1)) as RlpValue[]), one])),
  ],
  ["fields", Uint8Array.of(2, 0x80)],
  ["chainId", withField(0, Uint8Array.of(0, 1))],
  ["nonce", withField(1, new Uint8Array(7).fill(1))],
  ["priority", withField(2, new Uint8Array(33).fill(1))],
  ["maxFee", withField(3, Uint8Array.of(0))],
  ["gasLimit", withField(4, [])],
  ["to", withField(5, new Uint8Array(0))], // contract creation
  ["value", withField(6, one)],
  ["data", withField(7, [])],
  ["access list", withField(8, [[]])],
  ["yParity", withField(9, Uint8Array.of(2))],
  ["r", withField(10, new Uint8Array(33).fill(1))],
  ["s", withField(11, Uint8Array.of(0, 1))],
])("refused by name: %s", (field, bytes) => {
  expect(() => decodeMemberTransaction(bytes)).toThrow(`not a transaction: ${field}`);
});

test("a signature with a high S or of nobody recovers no sender", () => {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const [r, s] = (decodeRlp(signed.subarray(1)) as Uint8Array[]).slice(10);
  const high = fromHex((order - BigInt(toHex0x(s!))).toString(16).padStart(64, "0"));
  const parity = Uint8Array.of(1);
  const flipped = withField(9, parity);
  const fields = [...(decodeRlp(flipped.subarray(1)) as RlpValue[])];
  fields[11] = high;
  const malleable = Uint8Array.of(2, ...encodeRlp(fields));
  expect(decodeMemberTransaction(malleable).sender).toBeNull();
  expect(decodeMemberTransaction(withField(10, new Uint8Array(0))).sender).toBeNull();
  expect(r).toHaveLength(32);
});

test("a changed transaction has another sender or none, and another hash", () => {
  const original = decodeMemberTransaction(signed);
  const changed = decodeMemberTransaction(withField(1, Uint8Array.of(8)));
  const hash = (bytes: Uint8Array) => toHex(memberTransactionHash(bytes));
  expect(toHex(changed.sender ?? new Uint8Array(0))).not.toBe(toHex(original.sender!));
  expect(hash(withField(1, Uint8Array.of(8)))).not.toBe(hash(signed));
});

test("random bytes are refused with a code and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 150 }), (bytes) => {
      expect(() => decodeMemberTransaction(Uint8Array.of(2, ...bytes))).toThrow(GridError);
    }),
  );
});
