/**
 * Method: real files in a directory of their own, and real sockets on loopback with port 0: what is
 * served, how long it may be kept, and how the server starts, refuses and stops.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { serveApi } from "../../../services/api/serve.ts";
import { REQUEST_BYTES_MAX } from "../../../services/primitives/limits.ts";
import { createHarness } from "./harness.ts";

const PAGE = "<!doctype html><title>gridlane</title>";

async function dashboard() {
  const directory = await mkdtemp(join(tmpdir(), "gridlane-dashboard-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, "dist", "assets"), { recursive: true });
  await writeFile(join(directory, "secret.txt"), "secret");
  await writeFile(join(directory, "dist", "index.html"), PAGE);
  await writeFile(join(directory, "dist", "favicon.svg"), "<svg/>");
  await writeFile(join(directory, "dist", "assets", "main-4f1d.js"), "export {}");
  return createHarness({ slots: 1, dashboardDirectory: join(directory, "dist") });
}

test.each([
  { path: "/", type: "text/html", cache: "no-cache" },
  { path: "/index.html", type: "text/html", cache: "no-cache" },
  { path: "/regions/meadow/slots/12", type: "text/html", cache: "no-cache" },
  {
    path: "/assets/main-4f1d.js",
    type: "text/javascript",
    cache: "public, max-age=31536000, immutable",
  },
  { path: "/favicon.svg", type: "image/svg+xml", cache: "no-cache" },
])("serves $path as $type, to be kept: $cache", async ({ path, type, cache }) => {
  const harness = await dashboard();
  const response = await harness.request(path);
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toContain(type);
  expect(response.headers.get("Cache-Control")).toBe(cache);
  expect(response.headers.get("Content-Security-Policy")).toContain("frame-ancestors 'none'");
  if (type === "text/html") expect(await response.text()).toBe(PAGE);
  const head = await harness.request(path, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test.each([
  { path: "/assets/main-0000.js", status: 404 },
  { path: "/missing.png", status: 404 },
  { path: "/api/v1/nothing", status: 404 },
  { path: "/rpc", status: 404 },
  { path: "/%2e%2e/secret.txt", status: 404 },
  { path: "/..%2fsecret.txt", status: 404 },
  { path: "/assets/..%5c..%5csecret.txt", status: 404 },
])("does not serve $path", async ({ path, status }) => {
  const harness = await dashboard();
  const response = await harness.request(path);
  expect(response.status).toBe(status);
  expect(await response.text()).not.toContain("secret\n");
  expect(response.headers.get("Content-Type")).toContain("application/json");
});

test("only reading is for pages", async () => {
  const harness = await dashboard();
  const response = await harness.request("/somewhere", { method: "POST" });
  expect(response.status).toBe(404);
});

test("a port in use is said, with host and port; nothing else is disturbed", async () => {
  const [first, second] = [await createHarness({ slots: 1 }), await createHarness()];
  const served = await serveApi({ api: first.api, host: "127.0.0.1", port: 0 });
  onTestFinished(served.stop);
  const port = Number(new URL(served.url).port);
  await expect(serveApi({ api: second.api, host: "127.0.0.1", port })).rejects.toMatchObject({
    code: "port_in_use",
    facts: { host: "127.0.0.1", port },
  });
  const status = await (await fetch(`${served.url}/api/v1/status`)).json();
  expect(status).toMatchObject({ height: 1 });
});

test("an address that the machine does not have is said", async () => {
  const { api } = await createHarness();
  await expect(serveApi({ api, host: "192.0.2.1", port: 0 })).rejects.toMatchObject({
    code: "argument_invalid",
    facts: { argument: "host", value: "192.0.2.1" },
  });
});

test("stopping does not wait for connections that never asked anything", async () => {
  const { api } = await createHarness();
  const { url, stop } = await serveApi({ api, host: "127.0.0.1", port: 0 });
  const silent = connect(Number(new URL(url).port), "127.0.0.1");
  await new Promise((resolve) => silent.once("connect", resolve));
  const closed = new Promise((resolve) => silent.once("close", resolve));
  silent.resume();
  await fetch(`${url}/livez`); // by now the server knows of the silent one
  await Promise.all([stop(), closed]);
});

test("stopping lets an answer under way finish", async () => {
  let finish: (() => void) | undefined;
  const writer = {
    submit: () =>
      new Promise<{ code: number; info: string; hash: Uint8Array; height: number }>((resolve) => {
        finish = () => resolve({ code: 0, info: "", hash: new Uint8Array(32), height: 7 });
      }),
  };
  const { api } = await createHarness({ writer });
  const { url, stop } = await serveApi({ api, host: "127.0.0.1", port: 0 });
  const answer = fetch(`${url}/api/v1/transactions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '{"raw":"0x02"}',
  });
  while (finish === undefined) await new Promise((resolve) => setImmediate(resolve));
  const stopped = stop();
  finish();
  expect(await (await answer).json()).toMatchObject({ height: 7 });
  await stopped;
});

test("wrong codes count by the socket's address, whatever a header says", async () => {
  const { api } = await createHarness();
  const { url, stop } = await serveApi({ api, host: "127.0.0.1", port: 0 });
  onTestFinished(stop);
  const statuses = [];
  for (let i = 0; i < 11; i++) {
    const response = await fetch(`${url}/api/v1/session`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Forwarded-For": `10.0.0.${i}` },
      body: '{"code":"ZZZZZZZZ"}',
    });
    statuses.push(response.status);
    await response.body?.cancel();
  }
  expect(statuses).toEqual([...Array(10).fill(401), 429]);
});

test("over a socket: bodies of no said length, too long, and none at all", async () => {
  const harness = await createHarness();
  const server = await serveApi({ api: harness.api, host: "127.0.0.1", port: 0 });
  onTestFinished(() => server.stop());
  const url = `${server.url}/api/v1/session`;
  const headers = { "content-type": "application/json" };
  const streamed = (text: string) =>
    fetch(url, {
      ...{ method: "POST", headers, duplex: "half" },
      body: new Blob([text]).stream(),
    } as RequestInit);
  expect((await streamed('{"code":"00000000"}')).status).toBe(401);
  expect((await fetch(url, { method: "DELETE", headers })).status).toBe(204);
  const long = await streamed(`{"code":"${"0".repeat(REQUEST_BYTES_MAX)}"}`).then(
    ({ status }) => status,
    () => "cut", // the server may close before the sender is done
  );
  expect([413, "cut"]).toContain(long);
  expect(harness.faults).toEqual([]);
});
