/** Method: answers against the genesis, the chain and each other; proofs are checked to the end. */
import { expect, test } from "vitest";
import { rollUpDays } from "../../../services/api/statements.ts";
import { verifyProofText } from "../../../services/cli/verify-proof.ts";
import { toHex0x } from "../../../services/primitives/bytes.ts";
import type {
  BillLine,
  BillProofAnswer,
  DailyStatement,
  EnergySummary,
  Me,
  MonthlyStatement,
  Region,
  SlotDetail,
  SlotSummary,
  Status,
} from "../../../services/wire/api.ts";
import { createChainFixture } from "../../support/chain-fixture.ts";
import { VILLAGE } from "../../support/village.ts";
import { bearer, createHarness, OPERATOR_TOKEN, post } from "./harness.ts";

const json = (body: unknown) => post(body);

test("status and regions say what genesis, chain and oracle say", async () => {
  const harness = await createHarness({ slots: 2 });
  const { chain } = harness;
  const status = await harness.json<Status>("/api/v1/status");
  const meters = chain.genesis.regions.reduce((sum, region) => sum + region.meters.length, 0);
  expect(status).toMatchObject({
    networkId: "fixture-village",
    timeZone: "Europe/Vienna",
    height: 2,
    appHash: toHex0x(chain.head().appHash),
    speed: 90,
    genesisSlot: chain.firstSlot,
    lastSlot: chain.firstSlot + 1,
    clearedSlots: 2,
    regions: 4,
    members: 21,
    metersRegistered: meters,
    metersReporting: meters,
    readingsAccepted: 12,
    readingsRefused: { signature_invalid: 2 },
  });
  const regions = await harness.json<Region[]>("/api/v1/regions");
  expect(regions.map(({ id }) => id)).toEqual(VILLAGE.map(({ id }) => id));
  expect(regions[1]?.lines.map(({ id }) => id)).toEqual(["hill-harbour", "harbour-hill"]);
  expect(regions[0]?.lastSlot?.slot).toBe(chain.firstSlot + 1);
  expect(await harness.json("/api/v1/regions/meadow")).toEqual(regions[0]);
});

test("slots come newest first, in the range asked for, at most as many", async () => {
  const harness = await createHarness({ slots: 120 });
  const first = harness.chain.firstSlot;
  const slots = async (query: string) =>
    (await harness.json<SlotSummary[]>(`/api/v1/regions/hill/slots${query}`)).map(
      ({ slot }) => slot - first,
    );
  expect(await slots("")).toEqual(Array.from({ length: 96 }, (_, i) => 119 - i));
  expect(await slots("?limit=2")).toEqual([119, 118]);
  expect(await slots(`?from=${first + 3}&to=${first + 5}`)).toEqual([5, 4, 3]);
  expect(await slots(`?from=${first + 118}`)).toEqual([119, 118]);
  expect(await slots(`?from=${first + 500}`)).toEqual([]);
});

test("a slot's energy and flows balance: sold + inflow = bought + outflow", async () => {
  const harness = await createHarness({ slots: 70 });
  const at = harness.chain.firstSlot + 48; // noon: the hill has sun for the harbour
  const [harbour, hill] = await Promise.all(
    ["harbour", "hill"].map((id) => harness.json<SlotDetail>(`/api/v1/regions/${id}/slots/${at}`)),
  );
  for (const region of [harbour!, hill!]) {
    const bought = region.importWh + region.outflowWh + region.retailerSoldWh;
    expect(region.exportWh + region.inflowWh + region.retailerBoughtWh).toBe(bought);
  }
  expect(hill!.outflowWh).toBeGreaterThan(0);
  expect(harbour!.inflowWh).toBe(hill!.outflowWh);
  const flow = hill!.flows.find(({ line }) => line === "hill-harbour");
  expect(flow).toMatchObject({ energyWh: hill!.outflowWh, capacityWh: 600, feeUcPerWh: 500 });
});

test("my bills sum to my balance and summary, and their proofs hold", async () => {
  const harness = await createHarness({ slots: 30 });
  const token = await harness.signIn("harbour", 5);
  const me = await harness.json<Me>("/api/v1/me", bearer(token));
  const bills = await harness.json<BillLine[]>("/api/v1/me/bills?limit=1000", bearer(token));
  const summary = await harness.json<EnergySummary>("/api/v1/me/summary?window=all", bearer(token));
  const sum = (field: "amountUc" | "retailerAloneUc") =>
    bills.reduce((total, bill) => total + BigInt(bill[field]), 0n).toString();
  expect(bills).toHaveLength(30);
  expect(sum("amountUc")).toBe(me.balanceUc);
  expect(sum("amountUc")).toBe(summary.amountUc);
  expect(sum("retailerAloneUc")).toBe(summary.retailerAloneUc);
  expect(me.meters.map(({ role, trust }) => [role, trust])).toEqual([
    ["grid", "meter-signed"],
    ["production", "meter-signed"],
  ]);
  expect(me).toMatchObject({ region: "harbour", label: "harbour home 6" });

  const oldest = bills.at(-1)!;
  const path = `/api/v1/me/bills/${oldest.settledSlot}/${oldest.leafIndex}/proof`;
  const proof = await harness.json<BillProofAnswer>(path, bearer(token));
  const verdict = verifyProofText(JSON.stringify(proof), {
    source: "genesis",
    genesis: harness.chain.genesis,
  });
  expect(verdict).toMatchObject({ valid: true, kind: "bill", region: "harbour" });

  const [newest] = bills;
  const early = `/api/v1/me/bills/${newest!.settledSlot}/${newest!.leafIndex}/proof`;
  const refused = await harness.json(early, { ...bearer(token), status: 404 });
  expect(refused.message).toContain("one more block");
  harness.chain.commitEmpty();
  await harness.json(early, bearer(token));
});

test("statements by day and month: mine with a session, a region's if large enough", async () => {
  const harness = await createHarness({ slots: 22 * 4 + 96 }); // from 02:00 in Vienna
  await rollUpDays({ ...harness.options, untilSlot: harness.chain.head().lastClearedSlot! });
  const token = await harness.signIn("harbour", 5);
  const mine = "/api/v1/me/statements";
  const days = await harness.json<DailyStatement[]>(mine, bearer(token));
  expect(days.map(({ day }) => day)).toEqual(["2024-06-02", "2024-06-01"]);
  const [month] = await harness.json<MonthlyStatement[]>(`${mine}?period=month`, bearer(token));
  expect(month).toMatchObject({ month: "2024-06", days: 2, complete: false });
  const all = await harness.json<EnergySummary>("/api/v1/me/summary?window=all", bearer(token));
  expect(month!.summary).toEqual({ ...all, window: "month" });
  const saved = BigInt(all.amountUc) - BigInt(all.retailerAloneUc);
  expect(all.savingsUc).toBe(saved.toString());

  const ofRegion = (id: string) => `/api/v1/regions/${id}/statements?period=month`;
  const [whole] = await harness.json<MonthlyStatement[]>(ofRegion("harbour"));
  expect(whole!.summary).toEqual({
    ...(await harness.json<EnergySummary>("/api/v1/regions/harbour/summary?window=all")),
    window: "month",
  });
  const small = harness.chain.genesis.regions[3]!.id;
  expect(await harness.json(ofRegion(small), { status: 403 })).toMatchObject({
    code: "group_small",
  });
  await harness.json(mine, { status: 401 });
  for (const query of ["period=year", "period=month&limit=121", "from=2024-6-1"]) {
    const refused = await harness.json(`${mine}?${query}`, { ...bearer(token), status: 400 });
    expect(refused.code).toBe("argument_invalid");
  }
});

test("bills of a range and a page; a late bill names both its slots", async () => {
  const chain = createChainFixture();
  chain.clearSlot(({ importWh, quality }, r) => {
    if (r !== 0) return;
    importWh[0] = 0;
    quality[0] = 3;
  });
  chain.clearSlot(({ late }, r) => {
    if (r !== 0) return;
    late.push({ slot: chain.firstSlot, meterIndex: 0, importWh: 250, exportWh: 0, quality: 0 });
  });
  const harness = await createHarness({ chain });
  const token = await harness.signIn("meadow", 0);
  const bills = await harness.json<BillLine[]>("/api/v1/me/bills", bearer(token));
  expect(
    bills.map(({ slot, settledSlot, kind }) => [
      slot - chain.firstSlot,
      settledSlot - chain.firstSlot,
      kind,
    ]),
  ).toEqual([
    [1, 1, 0],
    [0, 1, 1],
    [0, 0, 0],
  ]);
  expect(bills[1]).toMatchObject({ importWh: 250, retailerBoughtWh: 250, amountUc: "-7500000" });
  expect(bills[2]).toMatchObject({ qualityLetter: "N", amountUc: "0" });
  const missing = await harness.json<SlotDetail>(
    `/api/v1/regions/meadow/slots/${chain.firstSlot}`,
    bearer(token),
  );
  expect(missing).toMatchObject({ metersMissing: 1, own: { why: "missing" } });
  const page = await harness.json<BillLine[]>("/api/v1/me/bills?limit=2", bearer(token));
  expect(page).toEqual(bills.slice(0, 2));
  const range = `?from=${chain.firstSlot}&to=${chain.firstSlot}`;
  expect(await harness.json(`/api/v1/me/bills${range}`, bearer(token))).toEqual(bills.slice(2));
});

test.each([
  { name: "all inside", importWh: 100, offerWh: 500, maxBuy: 30_000, why: "traded" },
  {
    name: "more wanted than offered",
    importWh: 500,
    offerWh: 100,
    maxBuy: 30_000,
    why: "partly",
  },
  { name: "nothing metered", importWh: 0, offerWh: 500, maxBuy: 30_000, why: "nothing" },
  { name: "limit below the price", importWh: 100, offerWh: 500, maxBuy: 7000, why: "limit" },
  { name: "nobody offers", importWh: 100, offerWh: 0, maxBuy: 29_000, why: "limit" },
])("an own order in the auction, $name: $why", async ({ importWh, offerWh, maxBuy, why }) => {
  const regions = [
    { id: "pier", mechanism: "uniform-price", homes: Array(5).fill("plain") },
  ] as const;
  const chain = createChainFixture({ regions });
  const [buyer, seller] = chain.genesis.regions[0]!.members as { limits?: object }[];
  buyer!.limits = { minSellUcPerWh: 8000, maxBuyUcPerWh: maxBuy };
  seller!.limits = { minSellUcPerWh: 9000, maxBuyUcPerWh: 20_000 };
  chain.clearSlot((columns) => {
    columns.importWh.fill(0);
    columns.exportWh.fill(0);
    columns.importWh[0] = importWh;
    columns.exportWh[1] = offerWh;
    columns.importWh[2] = 200; // at any price up to retail
  });
  const harness = await createHarness({ chain });
  const token = await harness.signIn("pier", 0);
  const path = `/api/v1/regions/pier/slots/${chain.firstSlot}`;
  const { own } = await harness.json<SlotDetail>(path, bearer(token));
  expect(own).toMatchObject({ importWh, maxBuyUcPerWh: maxBuy, why });
});

test("without a counterpart at the mid-market rate: unmatched", async () => {
  const regions = [
    { id: "lane", mechanism: "mid-market-rate", homes: Array(5).fill("plain") },
  ] as const;
  const chain = createChainFixture({ regions });
  chain.clearSlot(({ importWh, exportWh }) => {
    importWh.fill(100);
    exportWh.fill(0);
  });
  const harness = await createHarness({ chain });
  const token = await harness.signIn("lane", 0);
  const path = `/api/v1/regions/lane/slots/${chain.firstSlot}`;
  const detail = await harness.json<SlotDetail>(path, bearer(token));
  expect(detail).toMatchObject({ priceUcPerWh: null, priceIntervalUcPerWh: null });
  expect(detail).toMatchObject({ supply: [], suppressed: false, own: { why: "unmatched" } });
  expect(detail.demand).toMatchObject([{ meters: 5, energyWh: 500 }]);
});

test("a transaction's bytes reach the chain, its verdict comes by name", async () => {
  const harness = await createHarness({ slots: 1 });
  const answer = await harness.json("/api/v1/transactions", json({ raw: "0x02ABcd" }));
  expect(answer).toMatchObject({ code: 0, codeName: "ok", height: 2 });
  expect(harness.chain.submitted).toEqual([Uint8Array.of(2, 0xab, 0xcd)]);
  const writer = {
    submit: async () => ({ code: 6, info: "", hash: new Uint8Array(32), height: 0 }),
  };
  const stale = await createHarness({ writer });
  const verdict = await stale.json("/api/v1/transactions", json({ raw: "0x02" }));
  expect(verdict).toMatchObject({ code: 6, codeName: "nonce_stale", height: 0 });
});

test("the refusal log is the operator's, by region and day of market time", async () => {
  const harness = await createHarness({ slots: 1 });
  const page = await harness.json("/api/v1/refusals?region=hill", bearer(OPERATOR_TOKEN));
  expect(page).toMatchObject({
    region: "hill",
    day: "2024-06-01",
    counts: { signature_invalid: 2 },
    rows: [{ codeName: "signature_invalid", deviceId: "07".repeat(16) }],
  });
  const other = await harness.json("/api/v1/refusals?day=2024-02-29", bearer(OPERATOR_TOKEN));
  expect(other).toMatchObject({ region: null, day: "2024-02-29" });
  const noDay = { ...bearer(OPERATOR_TOKEN), status: 400 };
  await harness.json("/api/v1/refusals?day=2023-02-29", noDay);
});

test("health: ready when history is read and the node is; always live", async () => {
  const chain = createChainFixture();
  chain.clearSlot();
  const harness = await createHarness({
    chain,
    readiness: () => ({ ready: false, reasons: ["oracle is stale"] }),
  });
  const early = await harness.json("/readyz", { status: 503 });
  expect(early.reasons).toEqual(["oracle is stale", "history is being added up"]);
  await harness.api.warmed;
  expect(await harness.json("/readyz", { status: 503 })).toEqual({
    ready: false,
    reasons: ["oracle is stale"],
  });
  expect(await harness.json("/livez")).toEqual({ live: true });
  const well = await createHarness({ slots: 1 });
  await well.api.warmed;
  expect(await well.json("/readyz")).toEqual({ ready: true, reasons: [] });
});

test("history that cannot be read: not ready, reported, no summaries", async () => {
  const chain = createChainFixture();
  chain.clearSlot();
  const fault = new Error("disk on fire");
  chain.slotRecords = () => Promise.reject(fault);
  const harness = await createHarness({ chain });
  await harness.api.warmed.catch(() => undefined);
  expect((await harness.json("/readyz", { status: 503 })).reasons).toEqual([
    "history cannot be read",
  ]);
  expect(harness.faults).toEqual([fault]);
  await harness.json("/api/v1/community/summary", { status: 500 });
});

test("requests are counted by route and status, whatever their parameters", async () => {
  const harness = await createHarness({ slots: 1 });
  for (const id of ["meadow", "hill", "atlantis"]) await harness.request(`/api/v1/regions/${id}`);
  await harness.request("/api/v1/nothing");
  const text = await (await harness.request("/metrics")).text();
  expect(text).toContain('gridlane_api_requests_total{route="/api/v1/regions/:id",status="200"} 2');
  expect(text).toContain('gridlane_api_requests_total{route="/api/v1/regions/:id",status="404"} 1');
  expect(text).toContain('gridlane_api_requests_total{route="other",status="404"} 1');
});
