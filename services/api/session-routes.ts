/** How a browser becomes a member: the operator makes a code, the member opens a session by it. */
import { getConnInfo } from "@hono/node-server/conninfo";
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import { GridError } from "../primitives/errors.ts";
import { type ApiContext, type ApiEnv, SESSION_COOKIE, sessionToken, unknown } from "./context.ts";
import {
  json,
  jsonBody,
  OPERATOR_SECURITY,
  Pairing,
  PairingRequest,
  refusals,
  SESSION_SECURITY,
  Session,
  SessionRequest,
} from "./documents.ts";
import { type Member, SESSION_S } from "./sessions.ts";

const tags = ["session"];

export function installSessionRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { sessions, genesis } = context;
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/pairings",
      operationId: "createPairing",
      tags,
      summary: "A one-time code for a member, by label or 0x address; good for ten minutes",
      security: OPERATOR_SECURITY,
      request: { body: jsonBody(PairingRequest) },
      responses: { 201: json(Pairing, "the code"), ...refusals(400, 401, 404, 413, 415, 503) },
    }),
    async (c) => {
      context.requireOperator(c);
      const { region, member } = c.req.valid("json");
      return c.json(await sessions.pair(findMember(context, region, member)), 201);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/session",
      operationId: "openSession",
      tags,
      summary: "Trades a code for a session: a cookie, and the same token for other clients",
      request: { body: jsonBody(SessionRequest) },
      responses: {
        201: json(Session, "the session"),
        ...refusals(400, 401, 413, 415, 429, 503),
      },
    }),
    async (c) => {
      const { code } = c.req.valid("json");
      const { token, regionIndex, memberIndex } = await sessions.open({
        code,
        address: addressOf(c),
      });
      const region = genesis.regions[regionIndex]!;
      setCookie(c, SESSION_COOKIE, token, {
        path: "/",
        httpOnly: true,
        sameSite: "Strict",
        secure: new URL(c.req.url).protocol === "https:", // a node on a LAN often has plain HTTP
        maxAge: SESSION_S,
      });
      const label = region.members[memberIndex]!.label;
      return c.json({ token, region: region.id, label }, 201);
    },
  );
  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/v1/session",
      operationId: "closeSession",
      tags,
      summary: "Ends the session, if there is one",
      security: SESSION_SECURITY,
      responses: { 204: { description: "no session (any more)" } },
    }),
    async (c) => {
      const token = sessionToken(c);
      if (token !== null) await sessions.close(token);
      deleteCookie(c, SESSION_COOKIE, { path: "/" });
      return c.body(null, 204);
    },
  );
}

/** @throws GridError resource_unknown; argument_invalid where a label names several members */
function findMember(context: ApiContext, regionId: string, name: string): Member {
  const { regionIndex, region } = context.region(regionId);
  const address = name.toLowerCase().replace(/^0x/, "");
  const found = [...region.members.keys()].filter((i) => {
    const member = region.members[i]!;
    return member.label === name || member.address === address;
  });
  const [memberIndex] = found;
  if (memberIndex === undefined) throw unknown("member", name);
  if (found.length > 1) {
    throw new GridError("argument_invalid", `${name} names several members: use the address`, {
      argument: "json.member",
      value: name,
    });
  }
  return { regionIndex, memberIndex };
}

/** Of the socket. A proxy's `X-Forwarded-For` is not believed: anybody can write one. */
function addressOf(c: Context<ApiEnv>): string {
  if (c.env?.incoming === undefined) return "in-process";
  return getConnInfo(c).remote.address ?? "unknown";
}
