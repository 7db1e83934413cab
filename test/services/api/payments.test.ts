/**
 * Method: a history of entries of several members, written down by hand, as each of them sees it:
 * kinds, order, pages cut anywhere, and nobody else's payments.
 */
import { expect, test } from "vitest";
import { PAYMENT_ENTRY, type PaymentEntry } from "../../../services/chain/payment-entries.ts";
import { ENTRY_RECORDS_PER_PAGE_MAX } from "../../../services/primitives/limits.ts";
import type { MicroCents, UnixSeconds } from "../../../services/primitives/units.ts";
import type { MyPayments } from "../../../services/wire/api.ts";
import { bearer, createHarness, type Harness } from "./harness.ts";

const { inside, sent, received, refunded } = PAYMENT_ENTRY;
type Place = PaymentEntry["payer"];
const me: Place = { regionIndex: 0, memberIndex: 0 };
const neighbour: Place = { regionIndex: 0, memberIndex: 1 };
const other: Place = { regionIndex: 2, memberIndex: 0 };

const entry = (
  kind: PaymentEntry["kind"],
  [payer, payee]: readonly [Place, Place],
  uc: number,
  seq = 0,
): PaymentEntry => ({ kind, payer, payee, amountUc: BigInt(uc) as MicroCents, seq });

function record(harness: Harness, height: number, entries: PaymentEntry[], regionIndex = 0) {
  const timeS = (1_700_000_000 + height) as UnixSeconds;
  harness.chain.entries.push({ regionIndex, height, timeS, entries });
}

async function setUp() {
  const harness = await createHarness({ slots: 4 }); // blocks 1 to 4
  record(harness, 1, [
    entry(inside, [me, neighbour], 100),
    entry(inside, [neighbour, me], 30),
    entry(sent, [me, other], 50, 1),
    entry(sent, [neighbour, other], 51, 2),
  ]);
  record(harness, 2, [entry(received, [me, other], 50, 1)], 2);
  record(harness, 3, [
    entry(refunded, [me, other], 50, 1),
    entry(received, [other, me], 7, 1),
    entry(received, [other, neighbour], 8, 2),
  ]);
  const token = await harness.signIn("meadow", 0);
  const list = (query = "", as = token) =>
    harness.json<MyPayments>(`/api/v1/me/payments${query}`, bearer(as));
  return { harness, list };
}

const short = ({ payments }: MyPayments) =>
  payments.map(({ height, kind, amountUc }) => `${height} ${kind} ${amountUc}`);
const ALL = ["3 received 7", "3 refunded 50", "1 sent 50", "1 received 30", "1 paid 100"];

test("own payments come newest first, with the other member and the block's time", async () => {
  const { harness, list } = await setUp();
  const all = await list();
  expect(short(all)).toEqual(ALL);
  expect(all.nextBefore).toBeNull();
  const [hill] = harness.chain.genesis.regions.slice(2);
  expect(all.payments[0]).toEqual({
    ...{ height: 3, timeS: 1_700_000_003, kind: "received", amountUc: "7", seq: 1 },
    ...{ region: hill!.id, address: `0x${hill!.members[0]!.address}` },
  });
  const own = await list("", await harness.signIn("hill", 0));
  expect(short(own)).toEqual(["2 received 50"]);
});

test.each([1, 2, 3, 4, 5])("pages of %i join to the whole, also inside a block", async (limit) => {
  const { list } = await setUp();
  const rows: string[] = [];
  let before: string | null = null;
  do {
    const query: string = before === null ? "" : `&before=${before}`;
    const page: MyPayments = await list(`?limit=${limit}${query}`);
    expect(page.payments.length).toBeLessThanOrEqual(limit);
    rows.push(...short(page));
    before = page.nextBefore;
  } while (before !== null);
  expect(rows).toEqual(ALL);
});

test("before is a height, exclusive", async () => {
  const { list } = await setUp();
  expect(short(await list("?before=3"))).toEqual(ALL.slice(2));
  expect(short(await list("?before=1"))).toEqual([]);
  expect(short(await list("?before=0"))).toEqual([]);
});

test("a walk over others' blocks is bounded, and says where to go on", async () => {
  const { harness, list } = await setUp();
  for (let at = 4; at < 4 + 2 * ENTRY_RECORDS_PER_PAGE_MAX; at++) {
    record(harness, at, [entry(inside, [neighbour, { ...me, memberIndex: 2 }], 1)]);
  }
  let page = await list("?before=999999");
  let pages = 1;
  for (; page.payments.length === 0; pages++) page = await list(`?before=${page.nextBefore}`);
  expect(pages).toBe(3);
  expect(short(page)).toEqual(ALL);
});

test.each(["-1", "1.5", "x", "1-", "1-2-3"])("before=%s is refused", async (before) => {
  const { harness } = await setUp();
  const token = await harness.signIn("meadow", 0);
  const path = `/api/v1/me/payments?before=${before}`;
  await harness.json(path, { ...bearer(token), status: 400 });
  await harness.json("/api/v1/me/payments", { status: 401 });
});
