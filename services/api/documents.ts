/** Schemas under the names they have in the OpenAPI document, and the parts that routes share. */
import { z } from "@hono/zod-openapi";
import { AUDIT_KEY_CHARACTERS_MAX, PAGE_ROWS_MAX } from "../primitives/limits.ts";
import * as wire from "../wire/api.ts";
import * as proofs from "../wire/proof-answers.ts";

/**
 * By zod's own metadata and not by `.openapi()`: schemas that were made before `@hono/zod-openapi`
 * loaded, as those of `wire` may be, do not have that method.
 */
function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  return schema.meta({ id });
}

export const AccountNonce = named("AccountNonce", wire.AccountNonce);
export const ApiError = named("ApiError", wire.ApiError);
export const Auditor = named("Auditor", wire.Auditor);
export const AuditorRequest = named("AuditorRequest", wire.AuditorRequest);
export const AuditorsRevoked = named("AuditorsRevoked", wire.AuditorsRevoked);
export const AuditRecordsRequest = named("AuditRecordsRequest", wire.AuditRecordsRequest);
export const BillLine = named("BillLine", wire.BillLine);
export const BillProofAnswer = named("BillProofAnswer", wire.BillProofAnswer);
export const CommitteeOrders = named("CommitteeOrders", wire.CommitteeOrders);
export const DailyStatement = named("DailyStatement", wire.DailyStatement);
export const EnergySummary = named("EnergySummary", wire.EnergySummary);
export const Health = named("Health", wire.Health);
export const Me = named("Me", wire.Me);
export const MonthlyStatement = named("MonthlyStatement", wire.MonthlyStatement);
export const MyOrders = named("MyOrders", wire.MyOrders);
export const MyPayments = named("MyPayments", wire.MyPayments);
export const Pairing = named("Pairing", wire.Pairing);
export const PairingRequest = named("PairingRequest", wire.PairingRequest);
export const AbsenceProofAnswer = named("AbsenceProofAnswer", proofs.AbsenceProofAnswer);
export const PendingSlotProofAnswer = named(
  "PendingSlotProofAnswer",
  proofs.PendingSlotProofAnswer,
);
export const PolicyProofAnswer = named("PolicyProofAnswer", proofs.PolicyProofAnswer);
export const ReadingProofAnswer = named("ReadingProofAnswer", proofs.ReadingProofAnswer);
export const SlotPolicyProofAnswer = named("SlotPolicyProofAnswer", proofs.SlotPolicyProofAnswer);
export const RefusalPage = named("RefusalPage", wire.RefusalPage);
export const Region = named("Region", wire.Region);
export const Session = named("Session", wire.Session);
export const SessionRequest = named("SessionRequest", wire.SessionRequest);
export const SlotDetail = named("SlotDetail", wire.SlotDetail);
export const SlotSummary = named("SlotSummary", wire.SlotSummary);
export const Status = named("Status", wire.Status);
export const TransactionAnswer = named("TransactionAnswer", wire.TransactionAnswer);
export const TransactionRequest = named("TransactionRequest", wire.TransactionRequest);

/** Of the period that was asked for. */
export const Statements = z.union([z.array(DailyStatement), z.array(MonthlyStatement)]);

/** A JSON answer. */
export function json<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** A page of an audit: canonical CBOR, `wire/audit-page.ts`. */
export function cborPage(description: string) {
  const schema = z.string().openapi({ format: "binary" });
  return { description, content: { "application/cbor": { schema } } };
}

/** A required JSON body. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { "application/json": { schema } } };
}

const REFUSALS = {
  400: "a part of the request is malformed; `facts.argument` says which",
  401: "a session, or the operator's or an auditor's token, is needed",
  403: "too few meters to be shown together",
  404: "there is no such thing",
  413: "the body is too large",
  415: "the body is not declared as JSON",
  429: "too many attempts; `Retry-After` says when to come back",
  503: "not now: full, or stopping",
} as const;

/** Refusals a route may answer with, for the document. */
export function refusals<Code extends keyof typeof REFUSALS>(...codes: Code[]) {
  const entries = codes.map((code) => [code, json(ApiError, REFUSALS[code])]);
  return Object.fromEntries(entries) as { [K in Code]: ReturnType<typeof json<typeof ApiError>> };
}

/** Decimal digits only: "", "1e3" and "0x10" are no integers here. */
export function integerText({ min, max }: { min: number; max: number }) {
  return z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .openapi({ type: "integer", minimum: min, maximum: max });
}

const zSlotText = integerText({ min: 0, max: 0xffff_ffff });
const zDayText = z.iso.date("must be a day, YYYY-MM-DD");
/** @param rows - how many without a limit in the query */
const limit = (rows: number) =>
  integerText({ min: 1, max: PAGE_ROWS_MAX })
    .optional()
    .transform((asked) => asked ?? rows);

export const SlotRange = z.strictObject({
  from: zSlotText.optional(), // slot numbers, both inclusive
  to: zSlotText.optional(),
  limit: limit(96),
});
export const PaymentQuery = z.strictObject({
  before: z
    .string()
    .regex(/^\d{1,15}(-\d{1,6})?$/, "must be a height, or `nextBefore` of an earlier page")
    .optional(), // exclusive
  limit: limit(100),
});
export const StatementQuery = z.strictObject({
  period: wire.StatementPeriod.default("day"),
  from: zDayText.optional(), // market days, both inclusive
  to: zDayText.optional(),
  limit: limit(31),
});
export const WindowQuery = z.strictObject({ window: wire.EnergyWindow.default("today") });
export const RefusalQuery = z.strictObject({
  region: z.string().optional(),
  day: zDayText.optional(), // UTC day of market time; default: the current one
  limit: limit(100),
});
export const RegionPath = z.object({ id: z.string() });
export const SlotPath = RegionPath.extend({ slot: zSlotText });
export const AddressPath = z.object({
  address: z.string().regex(/^0x[0-9a-fA-F]{40}$/, "must be an address, 0x and 40 digits"),
});
export const LeafPath = z.object({ slot: zSlotText, leaf: zSlotText });
const zDevice = z.string().regex(/^[0-9a-f]{32}$/, "must be a device id, 32 hexadecimal digits");
export const DevicePath = z.object({ slot: zSlotText, device: zDevice });
export const SettledSlotPath = z.object({ slot: zSlotText });
export const AbsenceQuery = z.strictObject({
  kind: z.enum(["late", "slot"]).default("late"), // of the bill that is not there
  device: zDevice.optional(), // default: every own meter
});

export const SESSION_SECURITY = [{ sessionCookie: [] }, { sessionToken: [] }];
/** Heights, both inclusive; a page may end before `to`. */
export const HeightRange = z.strictObject({
  from: integerText({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  to: integerText({ min: 1, max: Number.MAX_SAFE_INTEGER }),
});
/** Where a walk over keys goes on; left out: from the first. */
export const CursorQuery = z.strictObject({
  after: z
    .string()
    .max(16 * AUDIT_KEY_CHARACTERS_MAX)
    .default(""),
});

export const AUDITOR_SECURITY = [{ auditorToken: [] }];
export const OPERATOR_SECURITY = [{ operatorToken: [] }];
