/**
 * Method: what must not be seen without a session, or with somebody else's, asked for in every way
 * there is; then what keeps a browser's session safe.
 */
import { expect, test } from "vitest";
import { AGGREGATE_METERS_MIN } from "../../../services/primitives/limits.ts";
import type { BillLine, EnergySummary, Me, SlotDetail } from "../../../services/wire/api.ts";
import { createChainFixture } from "../../support/chain-fixture.ts";
import { bearer, createHarness, OPERATOR_TOKEN, post } from "./harness.ts";

const json = (body: unknown) => post(body);

test("no public answer shows a group that is too small", async () => {
  const harness = await createHarness({ slots: 50 });
  const last = harness.chain.head().lastClearedSlot!;
  for (const path of ["slots", `slots/${last}`, "summary?window=all"]) {
    const body = await harness.json(`/api/v1/regions/cabin/${path}`, { status: 403 });
    expect(body).toMatchObject({
      code: "group_small",
      facts: { metersMin: AGGREGATE_METERS_MIN },
    });
  }
  expect(await harness.json("/api/v1/regions/cabin")).toMatchObject({
    lastSlot: null,
    members: 3,
  });
  // Not even as the difference between the community and its other regions.
  const { importWh } = await harness.json<EnergySummary>("/api/v1/community/summary?window=all");
  const shown = await Promise.all(
    ["meadow", "harbour", "hill"].map((id) =>
      harness.json<EnergySummary>(`/api/v1/regions/${id}/summary?window=all`),
    ),
  );
  expect(shown.reduce((sum, summary) => sum + summary.importWh, 0)).toBe(importWh);
});

test("a member of a small region does not see its sums either, but its own bills", async () => {
  const harness = await createHarness({ slots: 3 });
  const token = await harness.signIn("cabin", 1);
  await harness.json("/api/v1/regions/cabin/summary", { ...bearer(token), status: 403 });
  expect(await harness.json("/api/v1/me/bills", bearer(token))).toHaveLength(3);
});

test("every step of a public curve stands for enough meters, over a day", async () => {
  const harness = await createHarness({ slots: 96 });
  let [steps, hidden] = [0, 0];
  for (const id of ["meadow", "harbour", "hill"]) {
    for (let i = 0; i < 96; i += 4) {
      const detail = await harness.json<SlotDetail>(
        `/api/v1/regions/${id}/slots/${harness.chain.firstSlot + i}`,
      );
      const all = [...detail.supply, ...detail.demand];
      expect(all.every(({ meters }) => meters >= AGGREGATE_METERS_MIN)).toBe(true);
      const rising = detail.supply.map(({ priceUcPerWh }) => priceUcPerWh);
      expect(rising).toEqual(rising.toSorted((a, b) => a - b));
      const falling = detail.demand.map(({ priceUcPerWh }) => priceUcPerWh);
      expect(falling).toEqual(falling.toSorted((a, b) => b - a));
      steps += all.length;
      if (detail.suppressed) hidden++;
      expect(detail.own).toBeNull();
    }
  }
  expect(Math.min(steps, hidden)).toBeGreaterThan(10);
});

test("a session sees its own order, bills and sums, and nobody else's", async () => {
  const harness = await createHarness({ slots: 60 });
  const last = harness.chain.head().lastClearedSlot!;
  const record = (await harness.chain.slotRecord(0, last))!;
  const mine = await harness.signIn("meadow", 0);
  const theirs = await harness.signIn("meadow", 5);
  const elsewhere = await harness.signIn("hill", 0);
  const own = async (token: string) =>
    (await harness.json<SlotDetail>(`/api/v1/regions/meadow/slots/${last}`, bearer(token))).own;
  const amountOf = (memberIndex: number) =>
    [...record.bills].find((bill) => bill.memberIndex === memberIndex)!.amountUc.toString();
  expect((await own(mine))?.amountUc).toBe(amountOf(0));
  expect((await own(theirs))?.amountUc).toBe(amountOf(5));
  expect(await own(elsewhere)).toBeNull();
  expect(await own("f".repeat(64))).toBeNull();
  const bills = await harness.json<BillLine[]>("/api/v1/me/bills", bearer(mine));
  expect(new Set(bills.map(({ memberIndex }) => memberIndex))).toEqual(new Set([0]));
  // Another member's leaf is as unknown as one that does not exist.
  const leafOf5 = [...record.bills].findIndex(({ memberIndex }) => memberIndex === 5);
  const answers = await Promise.all(
    [leafOf5, 999].map((leaf) =>
      harness.json(`/api/v1/me/bills/${last - 1}/${leaf}/proof`, {
        ...bearer(mine),
        status: 404,
      }),
    ),
  );
  expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(["resource_unknown"]));
});

test("a session works as cookie and as bearer token, until it is closed", async () => {
  const harness = await createHarness({ slots: 1 });
  const { code } = await harness.json<{ code: string }>("/api/v1/pairings", {
    ...post({ region: "hill", member: "hill home 2" }, OPERATOR_TOKEN),
    status: 201,
  });
  const opened = await harness.request("/api/v1/session", json({ code }));
  const cookie = opened.headers.get("Set-Cookie")!;
  expect(cookie).toMatch(/^gridlane_session=[0-9a-f]{64};/);
  for (const part of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=7776000"]) {
    expect(cookie).toContain(part);
  }
  expect(cookie).not.toContain("Secure"); // this request came over plain HTTP
  expect(await opened.json()).toMatchObject({ region: "hill", label: "hill home 2" });
  const headers = { Cookie: cookie.split(";")[0]! };
  expect(await harness.json<Me>("/api/v1/me", { headers })).toMatchObject({ memberIndex: 1 });
  const closed = await harness.request("/api/v1/session", { method: "DELETE", headers });
  expect(closed.status).toBe(204);
  expect(closed.headers.get("Set-Cookie")).toContain("Max-Age=0");
  expect((await harness.request("/api/v1/me", { headers })).status).toBe(401);
});

test("over HTTPS the cookie is for HTTPS alone", async () => {
  const harness = await createHarness({ slots: 1 });
  const { code } = await harness.json<{ code: string }>("/api/v1/pairings", {
    ...post({ region: "hill", member: "hill home 2" }, OPERATOR_TOKEN),
    status: 201,
  });
  const opened = await harness.request("https://node.example/api/v1/session", json({ code }));
  expect(opened.headers.get("Set-Cookie")).toContain("Secure");
});

test("a member is named by label or address; a label of two members is refused", async () => {
  const chain = createChainFixture();
  const members = chain.genesis.regions[0]!.members as { label: string; address: string }[];
  members[1] = { ...members[1]!, label: members[0]!.label };
  const harness = await createHarness({ chain });
  const pair = (member: string, status: number) =>
    harness.json("/api/v1/pairings", {
      ...post({ region: "meadow", member }, OPERATOR_TOKEN),
      status,
    });
  const refused = await pair("meadow home 1", 400);
  expect(refused).toMatchObject({ code: "argument_invalid", facts: { argument: "json.member" } });
  await pair(`0x${members[1]!.address.toUpperCase()}`, 201);
});

test("answers are not kept by caches, and carry the headers that protect a browser", async () => {
  const harness = await createHarness({ slots: 1 });
  for (const path of ["/api/v1/status", "/api/v1/nothing", "/api/v1/me"]) {
    const { headers } = await harness.request(path);
    expect(headers.get("Cache-Control")).toBe("no-store");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("X-Frame-Options")).toBe("DENY");
    expect(headers.get("Referrer-Policy")).toBe("no-referrer");
    expect(headers.get("Content-Security-Policy")).toContain("default-src 'self'");
    expect(headers.get("Content-Security-Policy")).not.toContain("unsafe");
    expect(headers.get("Access-Control-Allow-Origin")).toBeNull();
  }
});
