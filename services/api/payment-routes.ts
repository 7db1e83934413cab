/**
 * A member's own payments, from the records of entries that each block left. The walk over blocks
 * is bounded: a page may be short, or empty, and still name where the next one starts.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { PAYMENT_ENTRY, type PaymentEntry } from "../chain/payment-entries.ts";
import { ENTRY_RECORDS_PER_PAGE_MAX } from "../primitives/limits.ts";
import type { MyPayments as MyPaymentsShape } from "../wire/api.ts";
import type { ApiContext, ApiEnv } from "./context.ts";
import { json, MyPayments, PaymentQuery, refusals, SESSION_SECURITY } from "./documents.ts";
import type { Member } from "./sessions.ts";

type Row = MyPaymentsShape["payments"][number];

export function installPaymentRoute(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(
    createRoute({
      method: "get",
      tags: ["member"],
      security: SESSION_SECURITY,
      path: "/api/v1/me/payments",
      operationId: "listMyPayments",
      summary: "Payments that moved my balance, newest first",
      description:
        "`before` is a height, exclusive, or `nextBefore` of the page before. A page may hold " +
        "fewer than `limit` payments: `nextBefore` says whether there are older ones.",
      request: { query: PaymentQuery },
      responses: { 200: json(MyPayments, "payments"), ...refusals(400, 401) },
    }),
    async (c) => {
      const member = await context.requireMember(c);
      const { before, limit } = c.req.valid("query");
      const from = cursorOf(before ?? String(context.options.chain.head().height + 1));
      return c.json(await ownPayments({ context, member, from, limit }), 200);
    },
  );
}

/** Where a page starts: below entry `entry` of the block at `height`. */
type Cursor = { readonly height: number; readonly entry: number };

function cursorOf(text: string): Cursor {
  const [height, entry = 0] = text.split("-").map(Number);
  return { height: height!, entry };
}

function cursorText({ height, entry }: Cursor): string {
  return entry === 0 ? String(height) : `${height}-${entry}`;
}

/** Blocks read at a time. */
const RECORDS_PER_READ = 128;

async function ownPayments({
  context,
  member,
  from,
  limit,
}: {
  context: ApiContext;
  member: Member;
  from: Cursor;
  limit: number;
}): Promise<MyPaymentsShape> {
  const { chain } = context.options;
  const { regionIndex } = member;
  const payments: Row[] = [];
  let at = from;
  for (let read = 0; read < ENTRY_RECORDS_PER_PAGE_MAX; read += RECORDS_PER_READ) {
    const beforeHeight = at.entry > 0 ? at.height + 1 : at.height;
    const records = await chain.entryRecords({
      regionIndex,
      beforeHeight,
      limit: RECORDS_PER_READ,
    });
    for (const { height, timeS, entries } of records) {
      const end = height === at.height ? Math.min(at.entry, entries.length) : entries.length;
      for (let entry = end - 1; entry >= 0; entry--) {
        const row = rowOf(context, member, entries[entry]!);
        if (row === null) continue;
        if (payments.length === limit) return { payments, nextBefore: cursorText(at) };
        payments.push({ height, timeS, ...row });
        at = { height, entry };
      }
      at = { height, entry: 0 };
    }
    if (records.length < RECORDS_PER_READ) return { payments, nextBefore: null };
  }
  return { payments, nextBefore: cursorText(at) };
}

/** The entry as the member sees it; null where it moved the balances of others. */
function rowOf(
  { genesis }: ApiContext,
  member: Member,
  { kind, payer, payee, amountUc, seq }: PaymentEntry,
): Omit<Row, "height" | "timeS"> | null {
  const is = (place: Member) =>
    place.regionIndex === member.regionIndex && place.memberIndex === member.memberIndex;
  const row = (as: Row["kind"], other: Member) => {
    const region = genesis.regions[other.regionIndex]!;
    const address = `0x${region.members[other.memberIndex]!.address}`;
    return { kind: as, amountUc: amountUc.toString(), region: region.id, address, seq };
  };
  if (kind === PAYMENT_ENTRY.received) return is(payee) ? row("received", payer) : null;
  if (kind === PAYMENT_ENTRY.inside && is(payee)) return row("received", payer);
  if (!is(payer)) return null;
  if (kind === PAYMENT_ENTRY.inside) return row("paid", payee);
  return row(kind === PAYMENT_ENTRY.sent ? "sent" : "refunded", payee);
}
