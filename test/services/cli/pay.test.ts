/**
 * Method: the commands as a member types them, against the API in process (only the socket is
 * missing). What arrives is decoded; labels are looked up in a genesis; amounts at their edges.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { PAYMENT_ENTRY } from "../../../services/chain/payment-entries.ts";
import { amountUc } from "../../../services/cli/options.ts";
import { payCommand, paymentsCommand } from "../../../services/cli/pay.ts";
import { exactCurrency } from "../../../services/cli/words.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { toHex, utf8 } from "../../../services/primitives/bytes.ts";
import { PAYMENT_UC_MAX } from "../../../services/primitives/limits.ts";
import type { MicroCents, UnixSeconds } from "../../../services/primitives/units.ts";
import { decodePay } from "../../../services/wire/payment.ts";
import { TRANSACTION_CODE } from "../../../services/wire/refusals.ts";
import {
  decodeMemberTransaction,
  marketAddress,
  memberAddress,
} from "../../../services/wire/transaction.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { createHarness } from "../api/harness.ts";

const SECRET = sha256(utf8("pay/member"));

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function setUp() {
  const harness = await createHarness({ slots: 1 });
  vi.stubGlobal("fetch", (url: string, init?: RequestInit) => {
    const { pathname, search } = new URL(url);
    return harness.request(pathname + search, init);
  });
  const [out, err]: string[][] = [[], []];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => out!.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => err!.push(String(text)) > 0);
  const directory = temporaryDirectory();
  mkdirSync(directory, { recursive: true });
  const [key, genesis] = [join(directory, "member.hex"), join(directory, "genesis.json")];
  writeFileSync(key, toHex(SECRET));
  writeFileSync(genesis, JSON.stringify(harness.chain.genesis));
  const parse = (command: ReturnType<typeof payCommand>, args: string[]) =>
    command
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parseAsync(args, { from: "user" });
  const pay = (to: string, amount: string, ...more: string[]) =>
    parse(payCommand(), [
      ...["--url", "http://node", "--region", "hill", "--key", key],
      ...["--to", to, "--amount", amount, "--genesis", genesis, ...more],
    ]);
  const payments = (...args: string[]) =>
    parse(paymentsCommand(), ["--url", "http://node", ...args]);
  const text = () => out!.join("");
  return { harness, pay, payments, text, said: () => err!.join(""), genesis };
}

test("pay signs the call for the payer's own market with the next nonce", async () => {
  const { harness, pay, text } = await setUp();
  const { address } = harness.chain.genesis.regions[0]!.members[1]!;
  await pay(`0x${address.toUpperCase()}`, "1.25", "--json");
  expect(JSON.parse(text())).toMatchObject({ code: 0, codeName: "ok", why: null });
  const sent = decodeMemberTransaction(harness.chain.submitted[0]!);
  expect(sent.sender).toEqual(memberAddress(SECRET));
  expect(sent.to).toEqual(marketAddress(2));
  expect(sent.nonce).toBe(harness.chain.nonce(memberAddress(SECRET)));
  const call = decodePay(sent.data)!;
  expect([toHex(call.to), call.amountUc]).toEqual([address, 125_000_000n]);
});

test("a label names its member, with the region where it must", async () => {
  const { harness, pay, text } = await setUp();
  const { id, members } = harness.chain.genesis.regions[0]!;
  await pay(members[1]!.label, "0.00000001");
  await pay(`${id}/${members[2]!.label}`, "3");
  const calls = harness.chain.submitted.map(
    (bytes) => decodePay(decodeMemberTransaction(bytes).data)!,
  );
  expect(calls.map(({ to }) => toHex(to))).toEqual([members[1]!.address, members[2]!.address]);
  expect(calls.map((call) => call.amountUc)).toEqual([1n, 300_000_000n]);
  expect(text()).toContain(`paid 0.00000001 to 0x${members[1]!.address} (block 2)`);
});

test("an unknown label, an ambiguous one, and a missing genesis are said as such", async () => {
  const { harness, pay, genesis } = await setUp();
  await expect(pay("nobody at all", "1")).rejects.toThrow(/no member is called nobody at all/);
  const twins = structuredClone(harness.chain.genesis);
  for (const r of [0, 1]) twins.regions[r]!.members[0]!.label = "twin";
  writeFileSync(genesis, JSON.stringify(twins));
  await expect(pay("twin", "1")).rejects.toThrow(
    `${twins.regions[0]!.id}/twin or ${twins.regions[1]!.id}/twin`,
  );
  writeFileSync(genesis, "{");
  await expect(pay("twin", "1")).rejects.toThrow(/is not JSON/);
  expect(harness.chain.submitted).toEqual([]);
});

test("a refusal has words, and an exit code", async () => {
  const { harness, pay, said } = await setUp();
  harness.chain.writer.submit = async (transaction) => ({
    ...{ code: TRANSACTION_CODE.balance_insufficient, info: "", height: 0 },
    hash: sha256(transaction),
  });
  await pay(`0x${"ab".repeat(20)}`, "1");
  expect(said()).toContain("refused: your balance does not hold as much [balance_insufficient]");
  expect(process.exitCode).toBe(1);
});

test.each<[string, bigint]>([
  ["1.25", 125_000_000n],
  ["0.00000001", 1n],
  ["007", 700_000_000n],
  ["703687.44177664", PAYMENT_UC_MAX],
])("%s is an amount", (text, uc) => {
  expect(amountUc({ max: PAYMENT_UC_MAX })(text)).toBe(uc);
});

test.each(["0", "0.0", "-1", "1.", ".5", "1,25", "1e3", "", "1.123456789", "703687.44177665"])(
  "%j is no amount that can be paid",
  (text) => {
    expect(() => amountUc({ max: PAYMENT_UC_MAX })(text)).toThrow(/must be an amount/);
  },
);

test.each<[bigint, string]>([
  [125_000_000n, "1.25"],
  [1n, "0.00000001"],
  [-100_000_000n, "-1.00"],
  [120_300_000n, "1.203"],
])("%d uc reads as %s", (uc, text) => expect(exactCurrency(uc)).toBe(text));

test("payments lists the member's own, page by page", async () => {
  const { harness, payments, text, said } = await setUp();
  const places = {
    payer: { regionIndex: 0, memberIndex: 0 },
    payee: { regionIndex: 2, memberIndex: 0 },
  };
  const entry = {
    kind: PAYMENT_ENTRY.sent,
    ...places,
    amountUc: 125_000_000n as MicroCents,
    seq: 1,
  };
  const timeS = 1_700_006_400 as UnixSeconds;
  harness.chain.entries.push({ regionIndex: 0, height: 1, timeS, entries: [entry] });
  const token = await harness.signIn("meadow", 0);
  await payments("--session", token);
  expect(text()).toMatch(/2023-11-15 00:00Z +sent +1\.25 +hill +0x/);
  await payments("--session", token, "--before", "1", "--json");
  expect(text()).toContain(`"nextBefore": null`);
  await expect(payments()).rejects.toThrow(/--code/);
  const [region] = harness.chain.genesis.regions;
  const { code } = await harness.json<{ code: string }>("/api/v1/pairings", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${harness.options.operatorToken}`,
    },
    body: JSON.stringify({ region: region!.id, member: region!.members[0]!.label }),
    status: 201,
  });
  await payments("--code", code);
  expect(said()).toContain("session: ");
});
