/**
 * Proofs, for whoever wants to believe nobody: each leads to a header that the sequencer signed.
 * The law and what has not cleared are public; readings, salts and absences go to their owner, whom
 * the session names. `gridlane verify` reads the answers.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { absenceProof, readingProof, slotPolicyProof } from "../chain/proofs.ts";
import { GridError } from "../primitives/errors.ts";
import { PROOF_GAPS_MAX } from "../primitives/limits.ts";
import { type Slot, slot } from "../primitives/units.ts";
import { BILL_KIND } from "../wire/bill.ts";
import { type ApiContext, type ApiEnv, unknown } from "./context.ts";
import {
  AbsenceProofAnswer,
  AbsenceQuery,
  DevicePath,
  json,
  PendingSlotProofAnswer,
  PolicyProofAnswer,
  ReadingProofAnswer,
  RegionPath,
  refusals,
  SESSION_SECURITY,
  SettledSlotPath,
  SlotPath,
  SlotPolicyProofAnswer,
} from "./documents.ts";
import {
  absenceProofView,
  pendingSlotProofView,
  policyProofView,
  readingProofView,
  slotPolicyProofView,
} from "./proof-views.ts";

const LATER = "proof yet: it takes one more block for";
const common = { method: "get" as const, tags: ["proofs"] };

export function installProofRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  installLawRoutes(app, context);
  installPendingRoute(app, context);
  installReadingRoute(app, context);
  installAbsenceRoute(app, context);
}

function installLawRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { genesis, options } = context;
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/regions/{id}/policy/proof",
      operationId: "getPolicyProof",
      summary: "The law in force in a region, with its way to a signed header",
      request: { params: RegionPath },
      responses: { 200: json(PolicyProofAnswer, "the proof"), ...refusals(400, 404) },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const proof = await options.chain.policyProof(context.region(id).regionIndex);
      if (proof === null) throw unknown(LATER, `the policy of ${id}`);
      return c.json(policyProofView(genesis, proof), 200);
    },
  );
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/regions/{id}/slots/{slot}/policy/proof",
      operationId: "getSlotPolicyProof",
      summary: "The law that a slot cleared under, with its way to a signed header",
      request: { params: SlotPath },
      responses: { 200: json(SlotPolicyProofAnswer, "the proof"), ...refusals(400, 404) },
    }),
    async (c) => {
      const { id, slot: at } = c.req.valid("param");
      const { record, anchor } = await cleared(context, context.region(id).regionIndex, slot(at));
      return c.json(slotPolicyProofView(genesis, slotPolicyProof(record, anchor)), 200);
    },
  );
}

function installPendingRoute(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { genesis, options } = context;
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/regions/{id}/slots/{slot}/pending/proof",
      operationId: "getPendingSlotProof",
      summary: "That a region has not cleared a slot, by the length of its history",
      request: { params: SlotPath },
      responses: { 200: json(PendingSlotProofAnswer, "the proof"), ...refusals(400, 404) },
    }),
    async (c) => {
      const { id, slot: at } = c.req.valid("param");
      const { regionIndex } = context.region(id);
      const proof = await options.chain.pendingSlotProof({ regionIndex, slot: slot(at) });
      if (proof === null)
        throw unknown("proof: the slot has cleared, or needs one more block", String(at));
      return c.json(pendingSlotProofView(genesis, proof), 200);
    },
  );
}

function installReadingRoute(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { genesis, options } = context;
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/me/readings/{slot}/{device}/proof",
      operationId: "getMyReadingProof",
      summary: "The signed record of an own meter behind a slot's report",
      description: "Holds the record and its salt: whoever has the file can read the registers.",
      security: SESSION_SECURITY,
      request: { params: DevicePath },
      responses: { 200: json(ReadingProofAnswer, "the proof"), ...refusals(400, 401, 404) },
    }),
    async (c) => {
      const { regionIndex, memberIndex } = await context.requireMember(c);
      const { slot: at, device } = c.req.valid("param");
      const { meters } = genesis.regions[regionIndex]!;
      const meterIndex = meters.findIndex((meter) => meter.deviceId === device);
      // Somebody else's meter is as unknown as none.
      if (meters[meterIndex]?.memberIndex !== memberIndex) throw unknown("meter of yours", device);
      const { record, anchor } = await cleared(context, regionIndex, slot(at));
      const kept = options.oracle.keptReading({ regionIndex, slot: slot(at), meterIndex });
      if (kept === null) throw unknown("record of this meter behind slot", String(at));
      return c.json(readingProofView(genesis, readingProof(record, anchor, kept)), 200);
    },
  );
}

function installAbsenceRoute(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { genesis } = context;
  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/me/absences/{slot}/proof",
      operationId: "getMyAbsenceProof",
      summary: "That a slot holds no bill of a kind for any own meter, or for one of them",
      security: SESSION_SECURITY,
      request: { params: SettledSlotPath, query: AbsenceQuery },
      responses: { 200: json(AbsenceProofAnswer, "the proof"), ...refusals(400, 401, 404) },
    }),
    async (c) => {
      const { regionIndex, memberIndex } = await context.requireMember(c);
      const { slot: at } = c.req.valid("param");
      const { kind, device } = c.req.valid("query");
      const meterIndexes = genesis.regions[regionIndex]!.meters.flatMap((meter, m) => {
        const isAsked = device === undefined || meter.deviceId === device;
        return meter.memberIndex === memberIndex && isAsked ? [m] : [];
      });
      if (meterIndexes.length === 0) throw unknown("meter of yours", device ?? "");
      if (meterIndexes.length > PROOF_GAPS_MAX) throw tooManyMeters();
      const { record, anchor } = await cleared(context, regionIndex, slot(at));
      const proof = absenceProof(record, anchor, { kinds: [BILL_KIND[kind]], meterIndexes });
      if (proof === null) throw unknown(`absence: there is a ${kind} bill of yours in`, String(at));
      return c.json(absenceProofView(genesis, memberIndex, proof), 200);
    },
  );
}

/** A cleared slot and where it stands in a signed header. */
async function cleared({ options: { chain } }: ApiContext, regionIndex: number, at: Slot) {
  const record = await chain.slotRecord(regionIndex, at);
  if (record === null) throw unknown("cleared slot", String(at));
  const anchor = await chain.slotAnchor({ regionIndex, slot: at });
  if (anchor === null) throw unknown(LATER, `slot ${at}`);
  return { record, anchor };
}

function tooManyMeters() {
  const message = `at most ${PROOF_GAPS_MAX} meters in one proof: ask for one with \`device\``;
  return new GridError("argument_invalid", message, { argument: "device", value: "" });
}
