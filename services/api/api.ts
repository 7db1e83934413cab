/**
 * The node's HTTP face, put together: routes, refusals, limits and headers. One Hono application
 * without a socket, so that it is tested in process; `serve.ts` gives it one.
 *
 * Privacy: without a session only sums over AGGREGATE_METERS_MIN meters or more leave the node,
 * and a session opens its own member's data alone.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { methodNotAllowed } from "hono/method-not-allowed";
import { matchedRoutes } from "hono/route";
import { secureHeaders } from "hono/secure-headers";
import { Counter, Gauge } from "prom-client";
import { GridError } from "../primitives/errors.ts";
import { installAuditRoutes } from "./audit-routes.ts";
import { limitBody } from "./body-limit.ts";
import { installChainRoutes } from "./chain-routes.ts";
import { type ApiEnv, createContext, unknown } from "./context.ts";
import { dashboardFiles } from "./dashboard-files.ts";
import { errorAnswer, FAULT_ANSWER, issuesToError } from "./error-answers.ts";
import { installMarketRoutes } from "./market-routes.ts";
import { installMemberRoutes } from "./member-routes.ts";
import type { ApiOptions } from "./options.ts";
import { installProofRoutes } from "./proof-routes.ts";
import { installSessionRoutes } from "./session-routes.ts";
import { createHub, installStreamRoute } from "./stream-routes.ts";
import { installSystemRoutes } from "./system-routes.ts";

export type Api = {
  readonly app: OpenAPIHono<ApiEnv>;
  /** Settles when the past is added up; until then summaries wait. Rejects where it cannot be. */
  readonly warmed: Promise<void>;
  /** Ends all streams and stops listening to the chain. */
  close(): void;
};

export function createApi(options: ApiOptions): Api {
  const context = createContext(options);
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const { data } = result as { data?: unknown }; // what was checked; the types lack it
      throw issuesToError({ error: result.error, data, part: result.target });
    },
  });
  const counts = createCounters(options);
  const hub = createHub(context, { onDrop: () => counts.drops.inc() });
  counts.watch(hub);
  installFrame(app, counts);
  installSystemRoutes(app, context);
  installMarketRoutes(app, context);
  installSessionRoutes(app, context);
  installMemberRoutes(app, context);
  installProofRoutes(app, context);
  installChainRoutes(app, context);
  installAuditRoutes(app, context);
  installStreamRoute(app, hub);
  installSecuritySchemes(app);
  installRefusals(app, options);
  return {
    app,
    warmed: context.readModel.warmed,
    close: () => {
      hub.close();
      context.readModel.close();
    },
  };
}

type Counters = {
  readonly requests: Counter<"route" | "status">;
  readonly drops: Counter;
  watch(hub: { clients(): number }): void;
};

function createCounters({ metrics }: ApiOptions): Counters {
  const registers = [metrics];
  return {
    requests: new Counter({
      name: "gridlane_api_requests_total",
      help: "HTTP requests answered, by route and status",
      labelNames: ["route", "status"],
      registers,
    }),
    drops: new Counter({
      name: "gridlane_api_stream_drops_total",
      help: "Stream clients dropped because they did not keep up",
      registers,
    }),
    watch: (hub) => {
      new Gauge({
        name: "gridlane_api_stream_clients",
        help: "Clients that follow the event stream",
        registers,
        collect() {
          this.set(hub.clients());
        },
      });
    },
  };
}

/** What stands around every route, outermost first. */
function installFrame(app: OpenAPIHono<ApiEnv>, { requests }: Counters): void {
  app.use(async (c, next) => {
    await next();
    const route = matchedRoutes(c).findLast(({ path }) => !path.includes("*"))?.path ?? "other";
    requests.inc({ route, status: c.res.status });
    if (c.res.headers.get("Cache-Control") === null) c.res.headers.set("Cache-Control", "no-store");
  });
  app.use(
    secureHeaders({
      strictTransportSecurity: false, // the node itself speaks plain HTTP
      xFrameOptions: "DENY",
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", "data:"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
      permissionsPolicy: { camera: [], geolocation: [], microphone: [], payment: [], usb: [] },
    }),
  );
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const { method } = c.req;
        const allowed = methods.join(", ");
        throw new GridError("method_unsupported", `${method} is not for this path`, {
          method,
          allowed,
        });
      },
    }),
  );
  app.use(limitBody());
}

function installSecuritySchemes(app: OpenAPIHono<ApiEnv>): void {
  const bearer = { type: "http", scheme: "bearer" } as const;
  const registry = app.openAPIRegistry;
  registry.registerComponent("securitySchemes", "sessionToken", bearer);
  registry.registerComponent("securitySchemes", "operatorToken", bearer);
  registry.registerComponent("securitySchemes", "auditorToken", bearer);
  registry.registerComponent("securitySchemes", "sessionCookie", {
    type: "apiKey",
    in: "cookie",
    name: "gridlane_session",
  });
}

/** Paths that are the API's, known or not; everything else may be the dashboard's. */
const API_PATH = /^\/(api|rpc)(\/|$)/;

function installRefusals(app: OpenAPIHono<ApiEnv>, options: ApiOptions): void {
  const { dashboardDirectory, onFault } = options;
  const dashboard = dashboardDirectory === null ? null : dashboardFiles(dashboardDirectory);
  app.onError((error, c) => {
    const answer = errorAnswer(error);
    if (answer === null) onFault(error);
    const { body, status, headers } = answer ?? FAULT_ANSWER;
    return c.json(body, status, headers);
  });
  app.notFound(async (c) => {
    const page = API_PATH.test(c.req.path) || dashboard === null ? null : await dashboard(c);
    if (page !== null) return page;
    const { body, status } = errorAnswer(unknown("path", c.req.path)) ?? FAULT_ANSWER;
    return c.json(body, status);
  });
}
