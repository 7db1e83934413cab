/**
 * Method: the commands as a member types them, against the API in process (only the socket is
 * missing). What arrives is decoded and its sender recovered; every refusal of an order has words.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { readKeyFile, refusalInWords } from "../../../services/cli/member-call.ts";
import { ordersCommand } from "../../../services/cli/orders.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { toHex, utf8 } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { decodeCancelOrder, decodePlaceOrder } from "../../../services/wire/forward-order.ts";
import { TRANSACTION_CODE } from "../../../services/wire/refusals.ts";
import {
  decodeMemberTransaction,
  marketAddress,
  memberAddress,
} from "../../../services/wire/transaction.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { createHarness } from "../api/harness.ts";

const SECRET = sha256(utf8("orders/member"));

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function setUp() {
  const harness = await createHarness({ slots: 1 });
  vi.stubGlobal("fetch", (url: string, init?: RequestInit) =>
    harness.request(new URL(url).pathname, init),
  );
  const out: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0);
  const directory = temporaryDirectory();
  mkdirSync(directory, { recursive: true });
  const key = join(directory, "member.hex");
  writeFileSync(key, `0x${toHex(SECRET)}\n`);
  const run = (...args: string[]) =>
    ordersCommand()
      .exitOverride()
      .parseAsync([...args, "--url", "http://node", "--json"], {
        from: "user",
      });
  return { harness, key, run, json: () => JSON.parse(out.join("")) as Record<string, unknown> };
}

test("place signs the order for the region's market with the next nonce", async () => {
  const { harness, key, run, json } = await setUp();
  const order = ["--slot", "1917024", "--side", "ask", "--limit", "-250", "--energy", "800"];
  await run("place", "--region", "hill", "--key", key, ...order);
  expect(json()).toMatchObject({ code: 0, codeName: "ok", why: null });
  const sent = decodeMemberTransaction(harness.chain.submitted[0]!);
  expect(sent.sender).toEqual(memberAddress(SECRET));
  expect(sent.to).toEqual(marketAddress(2));
  expect(sent.chainId).toBe(harness.chain.genesis.chainId);
  expect(sent.nonce).toBe(harness.chain.nonce(memberAddress(SECRET)));
  const expected = { slot: 1_917_024, side: 1, limitUcPerWh: -250, energyWh: 800 };
  expect(decodePlaceOrder(sent.data)).toEqual(expected);
});

test("cancel names slot and order", async () => {
  const { harness, key, run } = await setUp();
  await run("cancel", "--region", "meadow", "--key", key, "--slot", "9", "--order", "7");
  const sent = decodeMemberTransaction(harness.chain.submitted[0]!);
  expect(sent.to).toEqual(marketAddress(0));
  expect(decodeCancelOrder(sent.data)).toEqual({ slot: 9, orderId: 7 });
});

test("list shows the member's own view", async () => {
  const { harness, run, json } = await setUp();
  const token = await harness.signIn("meadow", 0);
  await run("list", "--session", token);
  expect(json()).toMatchObject({ gateClosureS: 900, horizonS: 86_400, orders: [], positions: [] });
});

test("an unknown region, and a file that holds no key, are said as such", async () => {
  const { harness, key, run } = await setUp();
  const order = ["--slot", "1", "--order", "1", "--key", key];
  await expect(run("cancel", "--region", "nowhere", ...order)).rejects.toThrow(/meadow/);
  writeFileSync(key, "abc");
  expect(() => readKeyFile(key)).toThrow(GridError);
  expect(() => readKeyFile(`${key}.absent`)).toThrow(/cannot read/);
  await expect(run("list")).rejects.toThrow(/--code/);
  expect(harness.chain.submitted).toEqual([]);
});

test("every refusal of an order has words of its own", () => {
  for (const name of Object.keys(TRANSACTION_CODE)) {
    expect(refusalInWords(name)).not.toContain("_");
  }
  for (const name of ["gate_closed", "slot_beyond_horizon", "order_invalid", "orders_full"]) {
    expect(refusalInWords(name)).not.toBe(name.replaceAll("_", " "));
  }
});
