/**
 * Method: the document is generated, then used as a client would: its structure must be sound, and
 * every operation in it is called for real and its answer checked against the document's own
 * schema. Units are checked by walking every answer.
 */
import { expect, test } from "vitest";
import { z } from "zod";
import { rollUpDays } from "../../../services/api/statements.ts";
import { toHex0x } from "../../../services/primitives/bytes.ts";
import { bearer, createHarness, type Harness, OPERATOR_TOKEN, post } from "./harness.ts";

type Schema = Record<string, unknown>;
type Operation = {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean }[];
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
  security?: Record<string, string[]>[];
};
type Document = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, unknown> };
};
type Called = { response: Response; path: string; method: string; operation: Operation };

const DAY_SLOTS = 110;

async function harnessWithHistory() {
  const harness = await createHarness({ slots: DAY_SLOTS });
  const token = await harness.signIn("meadow", 0);
  const { token: auditor } = await harness.json<{ token: string }>("/api/v1/auditors", {
    ...post({ days: 30 }, OPERATOR_TOKEN),
    status: 201,
  });
  const last = harness.chain.head().lastClearedSlot!;
  await rollUpDays({ ...harness.options, untilSlot: last });
  harness.chain.commitEmpty(); // carries the proof of the last slot
  const region = harness.chain.genesis.regions.find(({ id }) => id === "meadow")!;
  const { deviceId: device } = region.meters.find(({ memberIndex }) => memberIndex === 0)!;
  const document = await harness.json<Document>("/openapi.json");
  return { harness, token, auditor, last, device, document };
}

/** How a test calls each operation; a new one without a row here fails the test. */
function calls({
  token,
  auditor,
  last: slot,
  device,
}: {
  token: string;
  auditor: string;
  last: number;
  device: string;
}): Record<string, { path?: string; init?: RequestInit }> {
  const own = { init: bearer(token) };
  const audits = { init: bearer(auditor) };
  return {
    getLive: {},
    getReady: {},
    getMetrics: {},
    getStatus: {},
    listRegions: {},
    getRegion: { path: "/api/v1/regions/meadow" },
    listSlots: { path: "/api/v1/regions/harbour/slots?limit=20" },
    getSlot: { path: `/api/v1/regions/meadow/slots/${slot}`, ...own },
    getRegionSummary: { path: "/api/v1/regions/meadow/summary?window=all" },
    getCommunitySummary: { path: "/api/v1/community/summary?window=today" },
    createPairing: {
      init: post({ region: "hill", member: "hill home 1" }, OPERATOR_TOKEN),
    },
    openSession: { init: post({ code: "00000000" }) },
    closeSession: { init: { method: "DELETE" } },
    getMe: own,
    listMyOrders: own,
    listMyPayments: { path: "/api/v1/me/payments?limit=5", ...own },
    getCommitteeOrders: {},
    getNonce: { path: `/api/v1/accounts/0x${"ab".repeat(20)}/nonce` },
    getMySummary: { path: "/api/v1/me/summary?window=all", ...own },
    listMyStatements: own,
    listRegionStatements: { path: "/api/v1/regions/meadow/statements?period=month" },
    listMyBills: { path: "/api/v1/me/bills?limit=5", ...own },
    getMyBillProof: { path: `/api/v1/me/bills/${slot - 1}/0/proof`, ...own },
    getPolicyProof: { path: "/api/v1/regions/meadow/policy/proof" },
    getSlotPolicyProof: { path: `/api/v1/regions/meadow/slots/${slot - 1}/policy/proof` },
    getPendingSlotProof: { path: `/api/v1/regions/meadow/slots/${slot + 1}/pending/proof` },
    getMyReadingProof: { path: `/api/v1/me/readings/${slot - 1}/${device}/proof`, ...own },
    getMyAbsenceProof: { path: `/api/v1/me/absences/${slot - 1}/proof`, ...own },
    submitTransaction: { init: post({ raw: toHex0x(new Uint8Array([2, 1])) }) },
    listRefusals: { path: "/api/v1/refusals?region=meadow", init: bearer(OPERATOR_TOKEN) },
    createAuditor: { init: post({ days: 1 }, OPERATOR_TOKEN) },
    revokeAuditors: { init: { method: "DELETE", ...bearer(OPERATOR_TOKEN) } },
    getAuditGenesis: audits,
    getAuditHead: audits,
    listAuditBlocks: { path: "/api/v1/audit/blocks?from=1&to=3", ...audits },
    listAuditRecords: {
      path: "/api/v1/audit/records",
      init: post({ keys: ["head/last"] }, auditor),
    },
    listAuditKeys: audits,
    listAuditState: audits,
    followStream: {},
  };
}

async function callAll(
  harness: Harness,
  document: Document,
  rows: ReturnType<typeof calls>,
): Promise<Called[]> {
  const called: Called[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const row = rows[operation.operationId];
      expect(row, `${operation.operationId} has a row`).toBeDefined();
      const response = await harness.request(row!.path ?? path, {
        method: method.toUpperCase(),
        ...row!.init,
      });
      called.push({ response, path, method, operation });
    }
  }
  return called;
}

/** JSON Schema with its references put in, for zod. */
function resolve(value: unknown, schemas: Record<string, Schema>): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, schemas));
  if (typeof value !== "object" || value === null) return value;
  const ref = (value as { $ref?: string }).$ref;
  if (ref !== undefined) {
    const name = ref.replace("#/components/schemas/", "");
    expect(schemas[name], `${ref} resolves`).toBeDefined();
    return resolve(schemas[name], schemas);
  }
  return Object.fromEntries(Object.entries(value).map(([k, item]) => [k, resolve(item, schemas)]));
}

test("the document is sound: ids, parameters, descriptions, references", async () => {
  const { document } = await harnessWithHistory();
  expect(document.openapi).toBe("3.1.0");
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => ({ path, operation })),
  );
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.length).toBe(39);
  for (const { path, operation } of operations) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect(declared.map(({ name }) => name).sort(), path).toEqual(inPath);
    expect(declared.every(({ required }) => required)).toBe(true);
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(response.description.length, `${path} ${status}`).toBeGreaterThan(0);
    }
    for (const scheme of (operation.security ?? []).flatMap(Object.keys)) {
      expect(Object.keys(document.components.securitySchemes)).toContain(scheme);
    }
  }
  resolve(document, document.components.schemas);
});

test("every operation answers with a status and a body that the document names", async () => {
  const history = await harnessWithHistory();
  const { harness, document } = history;
  const called = await callAll(harness, document, calls(history));
  for (const { response, path, method, operation } of called) {
    const name = `${method} ${path} ${response.status}`;
    const declared = operation.responses[String(response.status)];
    expect(declared, name).toBeDefined();
    const expectRefusal = operation.operationId === "openSession"; // with a wrong code
    expect(response.status < 400, name).toBe(!expectRefusal);
    const schema = declared!.content?.["application/json"]?.schema;
    if (schema === undefined) {
      await response.body?.cancel();
      continue;
    }
    const strict = resolve(schema, document.components.schemas) as Parameters<
      typeof z.fromJSONSchema
    >[0];
    const body: unknown = await response.json();
    expect(z.fromJSONSchema(strict).safeParse(body).error?.issues ?? [], name).toEqual([]);
  }
  expect(harness.faults).toEqual([]);
});

test("money is a decimal string, energy a whole number or null, in every answer", async () => {
  const history = await harnessWithHistory();
  const { harness, document } = history;
  const called = await callAll(harness, document, calls(history));
  let [money, energy, prices] = [0, 0, 0];
  const walk = (value: unknown, key: string) => {
    if (Array.isArray(value)) for (const item of value) walk(item, key);
    else if (typeof value === "object" && value !== null) {
      for (const [name, item] of Object.entries(value)) walk(item, name);
    } else if (key.endsWith("UcPerWh")) {
      prices++;
      if (value !== null) expect(Number.isSafeInteger(value), key).toBe(true);
    } else if (key.endsWith("Uc")) {
      money++;
      expect(value, key).toMatch(/^-?\d+$/);
    } else if (key.endsWith("Wh")) {
      energy++;
      if (value !== null) expect(Number.isSafeInteger(value), key).toBe(true);
    }
  };
  for (const { response } of called) {
    const type = response.headers.get("Content-Type") ?? "";
    if (type.includes("json")) walk(await response.json(), "");
    else await response.body?.cancel();
  }
  expect(Math.min(money, energy, prices)).toBeGreaterThan(20);
});
