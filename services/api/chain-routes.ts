/** Into the chain, and what the oracle kept out of it. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { fromHex, toHex, toHex0x } from "../primitives/bytes.ts";
import { readingCodeName, transactionCodeName } from "../wire/refusals.ts";
import type { ApiContext, ApiEnv } from "./context.ts";
import {
  AccountNonce,
  AddressPath,
  CommitteeOrders,
  json,
  jsonBody,
  OPERATOR_SECURITY,
  RefusalPage,
  RefusalQuery,
  refusals,
  TransactionAnswer,
  TransactionRequest,
} from "./documents.ts";

const tags = ["chain"];
const DAY_S = 86_400;

export function installChainRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { writer, oracle, clock } = context.options;
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/transactions",
      operationId: "submitTransaction",
      tags,
      summary: "Submits signed bytes; answers when they are in a durable block, or refused",
      description: "The signature is the authority: no session is needed. `code` 0 is executed.",
      request: { body: jsonBody(TransactionRequest) },
      responses: { 200: json(TransactionAnswer, "the verdict"), ...refusals(400, 413, 415, 503) },
    }),
    async (c) => {
      const { hash, code, height } = await writer.submit(fromHex(c.req.valid("json").raw));
      return c.json(
        { hash: toHex0x(hash), code, codeName: transactionCodeName(code), height },
        200,
      );
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/accounts/{address}/nonce",
      operationId: "getNonce",
      tags,
      summary: "The nonce of an address's next transaction; 0 for one that is no member's",
      request: { params: AddressPath },
      responses: { 200: json(AccountNonce, "the nonce"), ...refusals(400) },
    }),
    (c) => {
      const address = fromHex(c.req.valid("param").address);
      return c.json(
        { address: toHex0x(address), nonce: context.options.chain.nonce(address) },
        200,
      );
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/committee",
      operationId: "getCommitteeOrders",
      tags,
      summary: "What the oracle's committee has ordered: upgrades, and its next order's number",
      responses: { 200: json(CommitteeOrders, "the orders") },
    }),
    (c) => {
      const { committee, chainVersion } = context.options.chain.head();
      const upgrades = committee.upgrades.map(({ version, height }) => ({ version, height }));
      return c.json({ nextSequence: committee.nextSequence, chainVersion, upgrades }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/refusals",
      operationId: "listRefusals",
      tags,
      summary: "Readings refused on a UTC day of market time, newest first",
      description: "Without `region`: records whose topic names no region of this network.",
      security: OPERATOR_SECURITY,
      request: { query: RefusalQuery },
      responses: { 200: json(RefusalPage, "counts and rows"), ...refusals(400, 401, 404) },
    }),
    async (c) => {
      context.requireOperator(c);
      const { region, day, limit } = c.req.valid("query");
      const regionIndex = region === undefined ? null : context.region(region).regionIndex;
      const dayS = day === undefined ? clock.nowS() : Date.parse(`${day}T00:00:00Z`) / 1000;
      const dayNumber = Math.floor(dayS / DAY_S);
      const page = await oracle.refusals({ regionIndex, day: dayNumber, limit });
      return c.json(
        {
          region: region ?? null,
          day: new Date(dayNumber * DAY_S * 1000).toISOString().slice(0, 10),
          counts: Object.fromEntries(
            [...page.counts].map(([code, count]) => [readingCodeName(code), count]),
          ),
          rows: page.rows.map((row) => ({
            timeS: row.timeS,
            deviceId: row.deviceId === null ? null : toHex(row.deviceId),
            code: row.code,
            codeName: readingCodeName(row.code),
            recordHash: toHex0x(row.recordHash),
            measured: row.measured,
            bound: row.bound,
          })),
        },
        200,
      );
    },
  );
}
