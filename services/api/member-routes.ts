/**
 * A member's own data. Every route takes the member from the session and from nowhere else, so
 * there is no parameter by which to ask for somebody else's.
 */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { fromHex, toHex0x } from "../primitives/bytes.ts";
import { slot } from "../primitives/units.ts";
import type {
  BillLine as BillLineShape,
  Me as MeShape,
  MyOrders as MyOrdersShape,
} from "../wire/api.ts";
import { FORWARD_SIDE } from "../wire/forward-order.ts";
import { forwardLaw, meterTrust } from "../wire/genesis.ts";
import { type ApiContext, type ApiEnv, unknown } from "./context.ts";
import {
  BillLine,
  BillProofAnswer,
  EnergySummary,
  json,
  LeafPath,
  Me,
  MyOrders,
  refusals,
  SESSION_SECURITY,
  SlotRange,
  StatementQuery,
  Statements,
  WindowQuery,
} from "./documents.ts";
import { slotRange } from "./market-routes.ts";
import { installPaymentRoute } from "./payment-routes.ts";
import { billProofView } from "./proof-views.ts";
import type { Member } from "./sessions.ts";
import { billLine } from "./slot-views.ts";
import { listStatements } from "./statement-views.ts";

const common = { method: "get" as const, tags: ["member"], security: SESSION_SECURITY };

export function installMemberRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/me",
      operationId: "getMe",
      summary: "The member: balance, limits, nonce, meters",
      responses: { 200: json(Me, "the member"), ...refusals(401) },
    }),
    async (c) => c.json(meView(context, await context.requireMember(c)), 200),
  );
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/me/summary",
      operationId: "getMySummary",
      summary: "Where my energy went and came from: last slot, market day, or all",
      request: { query: WindowQuery },
      responses: { 200: json(EnergySummary, "the sums"), ...refusals(400, 401) },
    }),
    async (c) => {
      const member = await context.requireMember(c);
      await context.readModel.warmed;
      const { window } = c.req.valid("query");
      return c.json(context.readModel.summary({ ...member, window }), 200);
    },
  );
  installOrderRoute(app, context);
  installPaymentRoute(app, context);
  installStatementRoute(app, context);
  installBillRoutes(app, context);
}

function installOrderRoute(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/me/orders",
      operationId: "listMyOrders",
      summary: "Forward market: open orders, and positions that wait for delivery",
      responses: { 200: json(MyOrders, "orders and positions"), ...refusals(401) },
    }),
    async (c) => c.json(ordersView(context, await context.requireMember(c)), 200),
  );
}

function ordersView({ genesis, options }: ApiContext, member: Member): MyOrdersShape {
  const { slotS } = genesis;
  const { gateClosureS, horizonS } = forwardLaw(genesis);
  const lane = options.chain.lane(member.regionIndex);
  const isOwn = (row: { readonly memberIndex: number }) => row.memberIndex === member.memberIndex;
  return {
    firstOpenSlot: Math.floor((options.chain.head().timeS + gateClosureS) / slotS) + 1,
    gateClosureS,
    horizonS,
    orders: lane.forwardOrders.filter(isOwn).map((order) => ({
      orderId: order.id,
      slot: order.slot,
      startS: order.slot * slotS,
      gateClosesS: order.slot * slotS - gateClosureS,
      side: order.side === FORWARD_SIDE.bid ? "bid" : "ask",
      limitUcPerWh: order.limitUcPerWh,
      energyWh: order.energyWh,
    })),
    positions: lane.forwardPositions.filter(isOwn).map((position) => ({
      slot: position.slot,
      startS: position.slot * slotS,
      boughtWh: position.boughtWh,
      soldWh: position.soldWh,
      priceUcPerWh: position.priceUcPerWh,
    })),
  };
}

function meView({ genesis, options }: ApiContext, { regionIndex, memberIndex }: Member): MeShape {
  const region = genesis.regions[regionIndex]!;
  const { label, address } = region.members[memberIndex]!;
  const lane = options.chain.lane(regionIndex);
  const seen = options.oracle.meterStatus(regionIndex);
  const { minSellUcPerWh, maxBuyUcPerWh } = lane.limits[memberIndex]!;
  const addressBytes = fromHex(address);
  return {
    region: region.id,
    memberIndex,
    label,
    address: toHex0x(addressBytes),
    balanceUc: lane.memberBalanceUc[memberIndex]!.toString(),
    limits: { minSellUcPerWh, maxBuyUcPerWh },
    nonce: options.chain.nonce(addressBytes),
    meters: region.meters.flatMap(({ deviceId, role, trust, memberIndex: owner }, meter) =>
      owner === memberIndex
        ? [
            {
              deviceId,
              role,
              trust: meterTrust({ trust }),
              lastIntervalEndS: seen[meter]?.lastIntervalEndS ?? null,
              refused: seen[meter]?.refused ?? 0,
            },
          ]
        : [],
    ),
  };
}

function installStatementRoute(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/me/statements",
      operationId: "listMyStatements",
      summary: "What each market day or month came to, newest first, against the retailer alone",
      description: "`from` and `to` are days, inclusive; a month counts where a day of it does.",
      request: { query: StatementQuery },
      responses: { 200: json(Statements, "statements"), ...refusals(400, 401) },
    }),
    async (c) => {
      const owner = await context.requireMember(c);
      const { hasProduction } = context.readModel.layout(owner.regionIndex);
      const production = hasProduction[owner.memberIndex] ? "metered" : "none";
      const { statements } = context.options;
      const shown = { production, slotS: context.genesis.slotS } as const;
      const query = c.req.valid("query");
      return c.json(await listStatements({ statements, owner, query, shown }), 200);
    },
  );
}

function installBillRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { genesis, options } = context;
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/me/bills",
      operationId: "listMyBills",
      summary: "Bill lines, newest first; `from` and `to` are slots of settlement, inclusive",
      request: { query: SlotRange },
      responses: { 200: json(z.array(BillLine), "bill lines"), ...refusals(400, 401) },
    }),
    async (c) => {
      const member = await context.requireMember(c);
      const { from, to, limit } = c.req.valid("query");
      const range = slotRange({ from, to, last: options.chain.head().lastClearedSlot });
      return c.json(await ownBills({ context, member, ...range, limit }), 200);
    },
  );
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/me/bills/{slot}/{leaf}/proof",
      operationId: "getMyBillProof",
      summary: "A bill's way to a signed header; `slot` is the bill line's `settledSlot`",
      request: { params: LeafPath },
      responses: { 200: json(BillProofAnswer, "the proof"), ...refusals(400, 401, 404) },
    }),
    async (c) => {
      const { regionIndex, memberIndex } = await context.requireMember(c);
      const { slot: at, leaf } = c.req.valid("param");
      const record = await options.chain.slotRecord(regionIndex, slot(at));
      const bill = record?.bills.at(leaf);
      // Somebody else's bill is as unknown as none.
      if (bill?.memberIndex !== memberIndex) throw unknown("bill of yours", `${at}/${leaf}`);
      const asked = { regionIndex, slot: slot(at), leafIndex: leaf };
      const proof = await options.chain.billProof(asked);
      if (proof === null) throw unknown("proof yet: it takes one more block for", `${at}/${leaf}`);
      return c.json(billProofView(genesis, bill, proof), 200);
    },
  );
}

/** Slot records read at a time while looking for a member's bills. */
const RECORDS_PER_PAGE = 128;

async function ownBills({
  context,
  member: { regionIndex, memberIndex },
  fromSlot,
  toSlot,
  limit,
}: {
  context: ApiContext;
  member: Member;
  fromSlot: number;
  toSlot: number;
  limit: number;
}): Promise<BillLineShape[]> {
  const { genesis, options, readModel } = context;
  const layout = readModel.layout(regionIndex);
  const lines: BillLineShape[] = [];
  const isBilled = layout.roles.some(
    (role, meter) => role === "grid" && layout.memberOfMeter[meter] === memberIndex,
  );
  let to = toSlot;
  while (isBilled && lines.length < limit && to >= fromSlot) {
    const page = await options.chain.slotRecords({
      regionIndex,
      fromSlot: slot(fromSlot),
      toSlot: slot(to),
      limit: Math.min(RECORDS_PER_PAGE, limit),
    });
    for (const record of page) {
      for (const { leafIndex } of record.bills.ofMember(memberIndex)) {
        lines.push(billLine({ record, leafIndex, genesis, layout }));
      }
    }
    const oldest = page.at(-1);
    if (oldest === undefined) break;
    to = oldest.slot - 1;
  }
  return lines.slice(0, limit);
}
