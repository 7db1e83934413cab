/** What everybody may see: the network, its regions, their slots and their sums. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { GridError } from "../primitives/errors.ts";
import { slot } from "../primitives/units.ts";
import type { Region as RegionShape } from "../wire/api.ts";
import { type ApiContext, type ApiEnv, groupSmall, unknown } from "./context.ts";
import {
  EnergySummary,
  json,
  Region,
  RegionPath,
  refusals,
  SlotDetail,
  SlotPath,
  SlotRange,
  SlotSummary,
  StatementQuery,
  Statements,
  Status,
  WindowQuery,
} from "./documents.ts";
import { quarantineView } from "./quarantine-view.ts";
import { slotDetail, slotSummary } from "./slot-views.ts";
import { listStatements } from "./statement-views.ts";

const tags = ["market"];

export function installMarketRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/status",
      operationId: "getStatus",
      tags,
      summary: "Network, chain head, market time and meters",
      responses: { 200: json(Status, "now") },
    }),
    async (c) => c.json(await context.status(), 200),
  );
  installRegionRoutes(app, context);
  installSlotRoutes(app, context);
  installSummaryRoutes(app, context);
  installStatementRoute(app, context);
}

function installRegionRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { genesis, readModel } = context;
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/regions",
      operationId: "listRegions",
      tags,
      summary: "All regions, in the order of the genesis",
      responses: { 200: json(z.array(Region), "regions") },
    }),
    async (c) => {
      await readModel.warmed;
      return c.json(
        genesis.regions.map((_, regionIndex) => regionView(context, regionIndex)),
        200,
      );
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/regions/{id}",
      operationId: "getRegion",
      tags,
      summary: "One region, its lines and its last slot",
      request: { params: RegionPath },
      responses: { 200: json(Region, "the region"), ...refusals(404) },
    }),
    async (c) => {
      const { regionIndex } = context.region(c.req.valid("param").id);
      await readModel.warmed;
      return c.json(regionView(context, regionIndex), 200);
    },
  );
}

function regionView(context: ApiContext, regionIndex: number): RegionShape {
  const { genesis, readModel } = context;
  const { id, name, mechanism, members, meters } = genesis.regions[regionIndex]!;
  const last = context.isShown(regionIndex) ? readModel.lastRecord(regionIndex) : null;
  const { lanesOut, clearedSlots } = context.options.chain.head();
  const out = lanesOut.find((lane) => lane.regionIndex === regionIndex);
  return {
    id,
    name,
    mechanism,
    members: members.length,
    meters: meters.length,
    lastSlot: last === null ? null : slotSummary(last, genesis),
    lines: genesis.lines
      .filter((line) => line.from === id || line.to === id)
      .map((line) => ({
        id: line.id,
        from: line.from,
        to: line.to,
        capacityWh: line.capacityWh,
      })),
    quarantine: out === undefined ? null : quarantineView(out, { regionId: id, clearedSlots }),
  };
}

function installSlotRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { genesis, readModel } = context;
  const { chain } = context.options;
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/regions/{id}/slots",
      operationId: "listSlots",
      tags,
      summary: "Cleared slots, newest first; `from` and `to` are slot numbers, both inclusive",
      request: { params: RegionPath, query: SlotRange },
      responses: { 200: json(z.array(SlotSummary), "slots"), ...refusals(400, 403, 404) },
    }),
    async (c) => {
      const { regionIndex } = context.region(c.req.valid("param").id);
      context.requireShown(regionIndex);
      const { from, to, limit } = c.req.valid("query");
      const range = slotRange({ from, to, last: chain.head().lastClearedSlot });
      const records = await chain.slotRecords({ regionIndex, ...range, limit });
      return c.json(
        records.map((record) => slotSummary(record, genesis)),
        200,
      );
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/regions/{id}/slots/{slot}",
      operationId: "getSlot",
      tags,
      summary: "One slot's auction: steps of at least five meters; with a session, the own order",
      security: [{}, { sessionCookie: [] }, { sessionToken: [] }],
      request: { params: SlotPath },
      responses: { 200: json(SlotDetail, "the slot"), ...refusals(400, 403, 404) },
    }),
    async (c) => {
      const { id, slot: at } = c.req.valid("param");
      const { regionIndex } = context.region(id);
      context.requireShown(regionIndex);
      const record = await chain.slotRecord(regionIndex, slot(at));
      if (record === null) throw unknown("cleared slot", String(at));
      const member = await context.memberOf(c);
      const memberIndex = member?.regionIndex === regionIndex ? member.memberIndex : null;
      const layout = readModel.layout(regionIndex);
      return c.json(slotDetail({ record, genesis, layout, memberIndex }), 200);
    },
  );
}

/** @throws GridError argument_invalid where the range is upside down */
export function slotRange({
  from,
  to,
  last,
}: {
  from: number | undefined;
  to: number | undefined;
  last: number | null;
}): { fromSlot: ReturnType<typeof slot>; toSlot: ReturnType<typeof slot> } {
  if (from !== undefined && to !== undefined && from > to) {
    throw new GridError("argument_invalid", "query.from: must not be after `to`", {
      argument: "query.from",
      value: String(from),
    });
  }
  const toSlot = slot(to ?? Math.max(last ?? 0, from ?? 0));
  return { fromSlot: slot(from ?? 0), toSlot };
}

function installSummaryRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { readModel } = context;
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/regions/{id}/summary",
      operationId: "getRegionSummary",
      tags,
      summary: "Where a region's energy went and came from: last slot, market day, or all",
      request: { params: RegionPath, query: WindowQuery },
      responses: { 200: json(EnergySummary, "the sums"), ...refusals(400, 403, 404) },
    }),
    async (c) => {
      const { regionIndex } = context.region(c.req.valid("param").id);
      context.requireShown(regionIndex);
      await readModel.warmed;
      const { window } = c.req.valid("query");
      return c.json(readModel.summary({ regionIndex, memberIndex: null, window }), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/community/summary",
      operationId: "getCommunitySummary",
      tags,
      summary: "The same for all regions together",
      request: { query: WindowQuery },
      responses: { 200: json(EnergySummary, "the sums"), ...refusals(400, 403) },
    }),
    async (c) => {
      await readModel.warmed;
      const summary = readModel.communitySummary(c.req.valid("query").window);
      if (summary === null) throw groupSmall("the community");
      return c.json(summary, 200);
    },
  );
}

function installStatementRoute(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { genesis, readModel } = context;
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/regions/{id}/statements",
      operationId: "listRegionStatements",
      tags,
      summary: "What a region's market days or months came to, newest first",
      description: "`from` and `to` are days, inclusive; a month counts where a day of it does.",
      request: { params: RegionPath, query: StatementQuery },
      responses: { 200: json(Statements, "statements"), ...refusals(400, 403, 404) },
    }),
    async (c) => {
      const { regionIndex } = context.region(c.req.valid("param").id);
      context.requireShown(regionIndex);
      const isMetered = readModel.layout(regionIndex).hasProduction.includes(true);
      const production = isMetered ? "metered" : "none";
      const { statements } = context.options;
      const owner = { regionIndex, memberIndex: null };
      const shown = { production, slotS: genesis.slotS } as const;
      const query = c.req.valid("query");
      return c.json(await listStatements({ statements, owner, query, shown }), 200);
    },
  );
}
