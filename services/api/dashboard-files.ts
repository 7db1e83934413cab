/**
 * The built dashboard: its files, and its front page for every address inside the application.
 * Files under `assets/` carry a hash of their content in their name and never change.
 */
import { serveStatic } from "@hono/node-server/serve-static";
import type { Context } from "hono";
import type { ApiEnv } from "./context.ts";

export type DashboardFiles = (c: Context<ApiEnv>) => Promise<Response | null>;

export function dashboardFiles(directory: string): DashboardFiles {
  const file = serveStatic<ApiEnv>({ root: directory });
  const frontPage = serveStatic<ApiEnv>({ root: directory, path: "index.html" });
  const nothing = async () => undefined;
  return async (c) => {
    if (c.req.method !== "GET" && c.req.method !== "HEAD") return null;
    const found = await file(c, nothing);
    if (found instanceof Response) {
      const isFixed = c.req.path.startsWith("/assets/");
      const lifetime = isFixed ? "public, max-age=31536000, immutable" : "no-cache";
      found.headers.set("Cache-Control", lifetime);
      return found;
    }
    // A missing file is missing; only an address may belong to the application.
    if (/\.\w+$/.test(c.req.path)) return null;
    const page = await frontPage(c, nothing);
    if (!(page instanceof Response)) return null;
    page.headers.set("Cache-Control", "no-cache");
    return page;
  };
}
