/**
 * The chain as it is stored, for auditors alone: bytes page by page, read only. Blocks hold each
 * meter's energy, so no session opens these routes, not even a member's own; the right is a token
 * of its own kind (`auditors.ts`).
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import {
  encodeAuditHead,
  encodeBlockPage,
  encodeKeyPage,
  encodeRecordPage,
  encodeStatePage,
} from "../wire/audit-page.ts";
import { type ApiContext, type ApiEnv, bearerToken } from "./context.ts";
import {
  AUDITOR_SECURITY,
  Auditor,
  AuditorRequest,
  AuditorsRevoked,
  AuditRecordsRequest,
  CursorQuery,
  cborPage,
  HeightRange,
  json,
  jsonBody,
  OPERATOR_SECURITY,
  refusals,
} from "./documents.ts";

const tags = ["audit"];
const CBOR = { "Content-Type": "application/cbor" };
const auditorsOnly = { tags, security: AUDITOR_SECURITY };

export function installAuditRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  installBlockRoutes(app, context);
  installStateRoutes(app, context);
  installRights(app, context);
}

function installRights(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auditors",
      operationId: "createAuditor",
      tags,
      summary: "A token that reads the chain as it is stored, for some days",
      security: OPERATOR_SECURITY,
      request: { body: jsonBody(AuditorRequest) },
      responses: { 201: json(Auditor, "the token"), ...refusals(400, 401, 413, 415, 503) },
    }),
    async (c) => {
      context.requireOperator(c);
      return c.json(await context.auditors.grant(c.req.valid("json").days), 201);
    },
  );
  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/v1/auditors",
      operationId: "revokeAuditors",
      tags,
      summary: "Takes all auditors' tokens back",
      security: OPERATOR_SECURITY,
      responses: { 200: json(AuditorsRevoked, "how many there were"), ...refusals(401) },
    }),
    async (c) => {
      context.requireOperator(c);
      return c.json({ revoked: await context.auditors.revoke() }, 200);
    },
  );
}

function installBlockRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { audit, chain } = context.options;
  const { auditors } = context;
  app.openapi(
    createRoute({
      ...auditorsOnly,
      method: "get",
      path: "/api/v1/audit/genesis",
      operationId: "getAuditGenesis",
      summary: "The genesis that this node was started with; an auditor trusts a copy of their own",
      responses: {
        200: { description: "genesis.json", content: { "application/json": { schema: {} } } },
        ...refusals(401, 429, 503),
      },
    }),
    (c) => auditors.serve(bearerToken(c), async () => c.json(chain.genesis as object, 200)),
  );
  app.openapi(
    createRoute({
      ...auditorsOnly,
      method: "get",
      path: "/api/v1/audit/head",
      operationId: "getAuditHead",
      summary: "Genesis hash, lowest and highest block, and the committed state's height and hash",
      responses: { 200: cborPage("the head"), ...refusals(401, 429, 503) },
    }),
    (c) =>
      auditors.serve(bearerToken(c), async () =>
        c.body(encodeAuditHead(await audit.head()) as Uint8Array<ArrayBuffer>, 200, CBOR),
      ),
  );
  app.openapi(
    createRoute({
      ...auditorsOnly,
      method: "get",
      path: "/api/v1/audit/blocks",
      operationId: "listAuditBlocks",
      summary: "Blocks as stored: header with signature, transactions, answers",
      request: { query: HeightRange },
      responses: {
        200: cborPage("the first blocks of the range"),
        ...refusals(400, 401, 429, 503),
      },
    }),
    (c) =>
      auditors.serve(bearerToken(c), async () => {
        const { from, to } = c.req.valid("query");
        const page = encodeBlockPage(await audit.blocks({ fromHeight: from, toHeight: to }));
        return c.body(page as Uint8Array<ArrayBuffer>, 200, CBOR);
      }),
  );
}

function installStateRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { audit } = context.options;
  const { auditors } = context;
  app.openapi(
    createRoute({
      ...auditorsOnly,
      method: "post",
      path: "/api/v1/audit/records",
      operationId: "listAuditRecords",
      summary: "Records as stored under the given keys, such as slot records and their proofs",
      description: "A question that is too long for an address; it changes nothing.",
      request: { body: jsonBody(AuditRecordsRequest) },
      responses: {
        200: cborPage("records of the first keys; null where there is none"),
        ...refusals(400, 401, 413, 415, 429, 503),
      },
    }),
    (c) =>
      auditors.serve(bearerToken(c), async () => {
        const page = encodeRecordPage(await audit.records(c.req.valid("json").keys));
        return c.body(page as Uint8Array<ArrayBuffer>, 200, CBOR);
      }),
  );
  app.openapi(
    createRoute({
      ...auditorsOnly,
      method: "get",
      path: "/api/v1/audit/keys",
      operationId: "listAuditKeys",
      summary: "Keys of all records at one instant, and keys that no block accounts for",
      request: { query: CursorQuery },
      responses: { 200: cborPage("keys and the next cursor"), ...refusals(400, 401, 429, 503) },
    }),
    (c) =>
      auditors.serve(bearerToken(c), async () => {
        const page = encodeKeyPage(await audit.keys(c.req.valid("query").after));
        return c.body(page as Uint8Array<ArrayBuffer>, 200, CBOR);
      }),
  );
  app.openapi(
    createRoute({
      ...auditorsOnly,
      method: "get",
      path: "/api/v1/audit/state",
      operationId: "listAuditState",
      summary: "Records of the state at one instant, with the height that they belong to",
      request: { query: CursorQuery },
      responses: { 200: cborPage("records and the next cursor"), ...refusals(400, 401, 429, 503) },
    }),
    (c) =>
      auditors.serve(bearerToken(c), async () => {
        const page = encodeStatePage(await audit.state(c.req.valid("query").after));
        return c.body(page as Uint8Array<ArrayBuffer>, 200, CBOR);
      }),
  );
}
