/**
 * A community for the dashboard's tests: three regions, a sunny June day in Vienna, an API that
 * answers in the shapes of `wire/api.ts` (each answer is parsed by its schema before it leaves),
 * one genuine bill proof, and a stream that the test drives. Serves the built dashboard under the
 * content security policy that the node is expected to send.
 */
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { type ServerType, serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { streamSSE } from "hono/streaming";
import type { z } from "zod";
import {
  LANES_PROOF_NODES,
  lanesPathIndex,
  leafIndexOf,
  RECEIPTS_PROOF_NODES,
} from "../../services/chain/light-client/paths.ts";
import { ed25519PublicKey, signEd25519 } from "../../services/crypto/ed25519.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { rootFromProof } from "../../services/crypto/merkle.ts";
import { toHex0x, utf8 } from "../../services/primitives/bytes.ts";
import type { UnixSeconds } from "../../services/primitives/units.ts";
import * as wire from "../../services/wire/api.ts";
import { type Bill, billRoot } from "../../services/wire/bill.ts";
import { encodeHeader, headerSignedBytes } from "../../services/wire/header.ts";

export const SLOT_S = 900;
/** 2025-06-17 00:00 in Vienna. */
export const DAY_START_SLOT = 1_750_111_200 / SLOT_S;
/** The last slot that has cleared when the test begins: 14:15 to 14:30. */
export const LAST_SLOT = DAY_START_SLOT + 57;
/** Slots that nobody reported: 04:30 to 05:00. */
const MISSING = [DAY_START_SLOT + 18, DAY_START_SLOT + 19];
export const PAIRING_CODE = "SUN-4711";
const TOKEN = "token-of-the-test";
const HOSTILE = '<img src=x onerror="document.title=1">';
const RETAIL = 30_000;
const FEED_IN = 8_000;

const REGIONS = [
  { id: "sonnenfeld", name: "Sonnenfeld", mechanism: "mid-market-rate", meters: 31 },
  { id: "muehlbach", name: "Mühlbach", mechanism: "uniform-price", meters: 28 },
  { id: "hostile", name: `Harbour ${HOSTILE}`, mechanism: "mid-market-rate", meters: 24 },
] as const;
type RegionFact = (typeof REGIONS)[number];

const hash = (text: string) => toHex0x(sha256(utf8(text)));
const secretKey = sha256(utf8("sequencer of the test"));
const sequencerPublicKey = ed25519PublicKey(secretKey);

/** PV and load of a region in a slot, Wh: a clear-sky bell and two humps. */
function energies(region: RegionFact, slot: number): { importWh: number; exportWh: number } {
  const hour = ((((slot - DAY_START_SLOT) % 96) + 96) % 96) / 4;
  const sun = Math.max(0, Math.sin(((hour - 5) / 15.5) * Math.PI)) ** 1.5;
  const cloud = 1 - 0.35 * Math.max(0, Math.sin(hour * 5.1 + region.meters));
  const hump = (at: number, width: number) => Math.exp(-(((hour - at) / width) ** 2));
  const load = 90 + 110 * hump(7.5, 1.6) + 190 * hump(19, 2.4) + 60 * hump(12.5, 1.5);
  const homes = region.meters - 1;
  return {
    importWh: Math.round(homes * load * 0.62 * (1 - 0.45 * sun)),
    exportWh: Math.round(homes * 205 * sun * cloud),
  };
}

function summaryOf(region: RegionFact, slot: number): wire.SlotSummary {
  const { importWh, exportWh } = energies(region, slot);
  const tradedWh = Math.min(importWh, exportWh);
  const short = importWh > exportWh;
  const ladder = region.mechanism === "uniform-price";
  const mid = ladder
    ? Math.round(FEED_IN + ((RETAIL - FEED_IN) * importWh) / (importWh + exportWh))
    : (RETAIL + FEED_IN) / 2;
  const price = tradedWh === 0 ? null : mid;
  const blend = (limit: number, wholeWh: number) =>
    Math.round((mid * tradedWh + limit * (wholeWh - tradedWh)) / wholeWh);
  return {
    region: region.id,
    slot,
    startS: slot * SLOT_S,
    endS: (slot + 1) * SLOT_S,
    height: 1200 + slot - DAY_START_SLOT,
    mechanism: region.mechanism,
    priceUcPerWh: price,
    priceIntervalUcPerWh: price === null ? null : [price - 400, price + 400],
    buyPriceUcPerWh: price === null ? null : ladder || !short ? price : blend(RETAIL, importWh),
    sellPriceUcPerWh: price === null ? null : ladder || short ? price : blend(FEED_IN, exportWh),
    importWh,
    exportWh,
    tradedWh,
    inflowWh: 0,
    outflowWh: ladder ? Math.round(tradedWh / 9) : 0,
    retailerBoughtWh: importWh - tradedWh,
    retailerSoldWh: exportWh - tradedWh,
    metersReported: region.meters,
    metersMissing: 0,
    refusedReadings: slot % 7 === 0 ? 1 : 0,
  };
}

function detailOf(region: RegionFact, slot: number, paired: boolean): wire.SlotDetail {
  const summary = summaryOf(region, slot);
  const ladder = (wholeWh: number, prices: readonly number[]) =>
    wholeWh === 0
      ? []
      : prices.map((priceUcPerWh, i) => ({
          priceUcPerWh,
          energyWh: Math.floor((wholeWh * (i + 1)) / 10),
          meters: 5 + i,
        }));
  return {
    ...summary,
    supply: ladder(summary.exportWh, [FEED_IN, 11_500, 14_200, 21_000]),
    demand: ladder(summary.importWh, [RETAIL, 27_400, 22_600, 12_300]),
    suppressed: false,
    retailUcPerWh: RETAIL,
    feedInUcPerWh: FEED_IN,
    forward: null,
    flows: [
      {
        line: "line-1",
        from: "sonnenfeld",
        to: "muehlbach",
        energyWh: 1_240,
        capacityWh: 5_000,
        feeUcPerWh: 1_500,
        rentUc: "0",
      },
      {
        line: "line-2",
        from: "hostile",
        to: "sonnenfeld",
        energyWh: 2_000,
        capacityWh: 2_000,
        feeUcPerWh: 1_500,
        rentUc: "3100000",
      },
    ].filter((flow) => [flow.from, flow.to].includes(region.id)),
    receiptsRoot: hash(`receipts ${slot}`),
    readingsRoot: hash(`readings ${slot}`),
    reportHash: hash(`report ${slot}`),
    own:
      paired && region.id === "sonnenfeld"
        ? {
            importWh: 0,
            exportWh: 412,
            minSellUcPerWh: 11_500,
            maxBuyUcPerWh: RETAIL,
            amountUc: "6924000",
            why: "partly",
          }
        : null,
  };
}

/** A window's sums; `scale` 1 is a home, a community has many. */
function windowSummary(window: wire.EnergyWindow, scale: number): wire.EnergySummary {
  const slots = { last: 1, today: 56, all: 1210 }[window];
  const unit = Math.round({ last: 1, today: 42, all: 860 }[window] * scale);
  const isHome = scale === 1;
  const [ownUseWh, exportWh, importWh] = isHome
    ? [118 * unit, 291 * unit, 96 * unit]
    : [74 * unit, 196 * unit, 131 * unit];
  const [soldWh, neighbourSoldWh] = isHome ? [150 * unit, 21 * unit] : [102 * unit, 9 * unit];
  const [boughtWh, neighbourBoughtWh] = isHome ? [61 * unit, 6 * unit] : [102 * unit, 3 * unit];
  const retailerSoldWh = exportWh - soldWh - neighbourSoldWh;
  const retailerBoughtWh = importWh - boughtWh - neighbourBoughtWh;
  const earnedUc = (soldWh + neighbourSoldWh) * 19_000 + retailerSoldWh * FEED_IN;
  const paidUc = (boughtWh + neighbourBoughtWh) * 19_000 + retailerBoughtWh * RETAIL;
  return {
    window,
    fromSlot: LAST_SLOT - slots + 1,
    toSlot: LAST_SLOT,
    slots,
    missingReadings: window === "last" ? 0 : 2,
    productionWh: ownUseWh + exportWh,
    consumptionWh: ownUseWh + importWh,
    ownUseWh,
    importWh,
    exportWh,
    communityBoughtWh: boughtWh,
    communitySoldWh: soldWh,
    neighbourBoughtWh,
    neighbourSoldWh,
    retailerBoughtWh,
    retailerSoldWh,
    forwardBoughtWh: 0,
    forwardSoldWh: 0,
    imbalanceBoughtWh: 0,
    imbalanceSoldWh: 0,
    paidUc: String(paidUc),
    earnedUc: String(earnedUc),
    retailerAloneUc: String(exportWh * FEED_IN - importWh * RETAIL),
    amountUc: String(earnedUc - paidUc),
    savingsUc: String(earnedUc - paidUc - (exportWh * FEED_IN - importWh * RETAIL)),
    peakImportW: Math.round(1900 * scale),
    peakImportSlot: LAST_SLOT,
    ratios: {
      selfSufficiencyOwn: ownUseWh / (ownUseWh + importWh),
      selfSufficiencyCommunity: (ownUseWh + boughtWh + neighbourBoughtWh) / (ownUseWh + importWh),
      selfConsumptionOwn: ownUseWh / (ownUseWh + exportWh),
      selfConsumptionCommunity: (ownUseWh + soldWh + neighbourSoldWh) / (ownUseWh + exportWh),
    },
  };
}

function billOf(slot: number): Bill {
  const sold = slot % 3 !== 0;
  const importWh = sold ? 0 : 214;
  const exportWh = sold ? 412 : 0;
  const communitySoldWh = sold ? 276 : 0;
  const communityBoughtWh = sold ? 0 : 214;
  const retailerSoldWh = exportWh - communitySoldWh;
  const uc = communitySoldWh * 19_000 + retailerSoldWh * FEED_IN - communityBoughtWh * 19_000;
  return {
    slot: slot as Bill["slot"],
    meterIndex: 4,
    memberIndex: 3,
    kind: 0,
    importWh,
    exportWh,
    communityBoughtWh,
    communitySoldWh,
    neighbourBoughtWh: 0,
    neighbourSoldWh: 0,
    retailerBoughtWh: 0,
    retailerSoldWh,
    buyPriceUcPerWh: 19_000,
    sellPriceUcPerWh: 19_000,
    amountUc: BigInt(uc) as Bill["amountUc"],
    quality: 0,
    forwardBoughtWh: 0,
    forwardSoldWh: 0,
    forwardPriceUcPerWh: 0,
    imbalanceBoughtWh: 0,
    imbalanceSoldWh: 0,
  };
}

function billLineOf(slot: number): wire.BillLine {
  const bill = billOf(slot);
  const alone = bill.exportWh * FEED_IN - bill.importWh * RETAIL;
  return {
    ...bill,
    amountUc: String(bill.amountUc),
    region: "sonnenfeld",
    startS: slot * SLOT_S,
    endS: (slot + 1) * SLOT_S,
    height: 1200 + slot - DAY_START_SLOT,
    settledSlot: slot,
    leafIndex: 4,
    qualityLetter: "A",
    retailerAloneUc: String(alone),
  };
}

/** Siblings are arbitrary; what they lead to is signed, so the proof is a true one. */
function proofOf(slot: number): wire.BillProofAnswer {
  const bill = billOf(slot);
  const slotIndex = slot - DAY_START_SLOT;
  const siblings = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => sha256(utf8(`${name} ${slot} ${i}`)));
  const receiptsProof = siblings("receipts", RECEIPTS_PROOF_NODES);
  const lanesProof = siblings("lanes", LANES_PROOF_NODES);
  const receiptsRoot = rootFromProof({ leaf: billRoot(bill), index: 4, proof: receiptsProof });
  const appHash = rootFromProof({
    leaf: receiptsRoot,
    index: lanesPathIndex({ regionIndex: 0, slotIndex }),
    proof: lanesProof,
  });
  const header = {
    chainVersion: 1,
    networkId: "sonnental",
    height: 1201 + slotIndex,
    timeS: ((slot + 1) * SLOT_S) as UnixSeconds,
    parentHash: sha256(utf8("parent")),
    transactionsRoot: sha256(utf8("transactions")),
    appHash,
  };
  const signature = signEd25519({ message: headerSignedBytes(header), secretKey });
  return {
    bill: { ...bill, amountUc: String(bill.amountUc) },
    region: "sonnenfeld",
    regionIndex: 0,
    leafIndex: leafIndexOf({ slotIndex, bill: 4 }),
    receiptsProof: receiptsProof.map(toHex0x),
    lanesProof: lanesProof.map(toHex0x),
    header: toHex0x(encodeHeader(header)),
    signature: toHex0x(signature),
    sequencerPublicKey: toHex0x(sequencerPublicKey),
  };
}

export type DashboardFixture = {
  readonly url: string;
  /** Clears the next slot in every region and tells the stream. Returns its number. */
  clearSlot(): number;
  /** How the API answers from now on: as it should, with 500, broken proofs, or no session. */
  behave(mode: "well" | "failing" | "forging" | "forgetting"): void;
  /** Cuts every connection and listens no more. */
  die(): Promise<void>;
  close(): Promise<void>;
};

const CSP = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

export async function startFixture(distDirectory: string): Promise<DashboardFixture> {
  let lastSlot = LAST_SLOT;
  let mode: Parameters<DashboardFixture["behave"]>[0] = "well";
  const listeners = new Set<(block: wire.StreamBlock) => void>();
  const app = new Hono();
  const answer = <Schema extends z.ZodType>(
    c: Context,
    schema: Schema,
    value: z.input<Schema>,
  ): Response => c.json(schema.parse(value) as object);
  const refuse = (c: Context, status: 401 | 404 | 500, message: string) =>
    c.json(wire.ApiError.parse({ code: "refused", message, facts: {} }), status);
  const paired = (c: Context) =>
    mode !== "forgetting" && getCookie(c, "gridlane_session") === TOKEN;
  const isCleared = (slot: number) => slot <= lastSlot && !MISSING.includes(slot);
  const regionOf = (c: Context) => REGIONS.find((region) => region.id === c.req.param("id"));

  app.use("/api/v1/*", async (c, next) => {
    if (mode === "failing") return refuse(c, 500, "the store is being repaired");
    return next();
  });
  app.get("/readyz", (c) => answer(c, wire.Health, { ready: true, reasons: [] }));
  app.get("/api/v1/status", (c) => answer(c, wire.Status, status()));
  app.get("/api/v1/regions", (c) =>
    answer(
      c,
      wire.Region.array(),
      REGIONS.map((region) => ({
        ...region,
        members: region.meters - 11,
        lastSlot: summaryOf(region, lastSlot),
        lines: [],
        quarantine: null,
      })),
    ),
  );
  app.get("/api/v1/regions/:id/slots", (c) => {
    const region = regionOf(c);
    if (region === undefined) return refuse(c, 404, "there is no such region");
    const from = Number(c.req.query("from") ?? DAY_START_SLOT);
    const slots = Array.from({ length: lastSlot - from + 1 }, (_, i) => lastSlot - i);
    return answer(
      c,
      wire.SlotSummary.array(),
      slots.filter(isCleared).map((slot) => summaryOf(region, slot)),
    );
  });
  app.get("/api/v1/regions/:id/slots/:slot", (c) => {
    const slot = Number(c.req.param("slot"));
    const region = regionOf(c);
    if (region === undefined || !isCleared(slot)) return refuse(c, 404, "there is no such slot");
    return answer(c, wire.SlotDetail, detailOf(region, slot, paired(c)));
  });
  app.get("/api/v1/regions/:id/summary", (c) =>
    answer(c, wire.EnergySummary, windowSummary(windowOf(c), 21.3)),
  );
  app.post("/api/v1/session", async (c) => {
    const { code } = wire.SessionRequest.parse(await c.req.json());
    if (code !== PAIRING_CODE) return refuse(c, 401, "this code is unknown or has expired");
    setCookie(c, "gridlane_session", TOKEN, { httpOnly: true, sameSite: "Strict" });
    return answer(c, wire.Session, { token: TOKEN, region: "sonnenfeld", label: "Home 04" });
  });
  app.delete("/api/v1/session", (c) => {
    deleteCookie(c, "gridlane_session");
    return c.body(null, 204);
  });
  app.use("/api/v1/me/*", async (c, next) =>
    paired(c) ? next() : refuse(c, 401, "this needs a valid session"),
  );
  app.get("/api/v1/me", (c) => answer(c, wire.Me, me()));
  app.get("/api/v1/me/summary", (c) =>
    answer(c, wire.EnergySummary, windowSummary(windowOf(c), 1)),
  );
  app.get("/api/v1/me/bills", (c) => {
    const slots = Array.from({ length: 8 }, (_, i) => lastSlot - i);
    return answer(c, wire.BillLine.array(), slots.map(billLineOf));
  });
  app.get("/api/v1/me/bills/:slot/:leaf/proof", (c) => {
    const proof = proofOf(Number(c.req.param("slot")));
    const signature = mode === "forging" ? `0x${"00".repeat(64)}` : proof.signature;
    return answer(c, wire.BillProofAnswer, { ...proof, signature });
  });
  app.get("/api/v1/stream", (c) =>
    streamSSE(c, async (stream) => {
      await stream.writeSSE({ event: "status", data: JSON.stringify(status()) });
      const onBlock = (block: wire.StreamBlock) =>
        void stream.writeSSE({
          event: "block",
          id: String(block.height),
          data: JSON.stringify(wire.StreamBlock.parse(block)),
        });
      listeners.add(onBlock);
      await new Promise<void>((resolve) => stream.onAbort(resolve));
      listeners.delete(onBlock);
    }),
  );
  app.get("/*", async (c) => {
    const path = c.req.path === "/" ? "/index.html" : c.req.path;
    try {
      const bytes = await readFile(join(distDirectory, path));
      return new Response(bytes, {
        headers: {
          "content-type": TYPES[extname(path)] ?? "application/octet-stream",
          "content-security-policy": CSP,
        },
      });
    } catch {
      return c.text("not found", 404);
    }
  });

  function status(): wire.Status {
    const blockTimeS = (lastSlot + 1) * SLOT_S + 60;
    return {
      networkId: "sonnental",
      chainId: 4711,
      chainVersion: 1,
      version: "0.1.0",
      currency: "EUR",
      timeZone: "Europe/Vienna",
      slotS: SLOT_S,
      retailUcPerWh: RETAIL,
      feedInUcPerWh: FEED_IN,
      height: 1200 + lastSlot - DAY_START_SLOT,
      appHash: hash(`app ${lastSlot}`),
      blockTimeS,
      marketTimeS: blockTimeS + 270,
      speed: 90,
      genesisSlot: DAY_START_SLOT - 1153,
      lastSlot,
      clearedSlots: 1210,
      regions: REGIONS.length,
      members: 50,
      metersRegistered: 83,
      metersReporting: 82,
      readingsAccepted: 99_213,
      readingsRefused: { signature_invalid: 1, time_stale: 2 },
    };
  }

  const { server, port } = await listen(app);
  return {
    url: `http://127.0.0.1:${port}/`,
    clearSlot: () => {
      lastSlot++;
      const { height, blockTimeS, appHash } = status();
      const slots = REGIONS.map((region) => summaryOf(region, lastSlot));
      for (const listener of listeners) listener({ height, timeS: blockTimeS, appHash, slots });
      return lastSlot;
    },
    behave: (next) => {
      mode = next;
    },
    die: () => stop(server),
    close: () => stop(server),
  };
}

function me(): wire.Me {
  return {
    region: "sonnenfeld",
    memberIndex: 3,
    label: "Home 04",
    address: `0x${"ab".repeat(20)}`,
    balanceUc: "1834500000",
    limits: { minSellUcPerWh: 11_500, maxBuyUcPerWh: RETAIL },
    nonce: 0,
    meters: [
      {
        deviceId: "0".repeat(32),
        role: "grid",
        trust: "meter-signed",
        lastIntervalEndS: 0,
        refused: 0,
      },
    ],
  };
}

function windowOf(c: Context): wire.EnergyWindow {
  return wire.EnergyWindow.parse(c.req.query("window"));
}

function listen(app: Hono): Promise<{ server: ServerType; port: number }> {
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) =>
      resolve({ server, port }),
    );
  });
}

function stop(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) {
      resolve();
      return;
    }
    server.close(() => resolve());
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
}
