/** Any audit source behind the real API on a real socket, with a token for it. */
import { serveApi } from "../../services/api/serve.ts";
import type { AuditSource } from "../../services/chain/audit-source.ts";
import { createHarness, OPERATOR_TOKEN, post } from "../services/api/harness.ts";

export type AuditServer = {
  readonly url: string;
  readonly token: string;
  stop(): Promise<void>;
};

export async function serveAudit(audit: AuditSource): Promise<AuditServer> {
  const harness = await createHarness({ audit });
  const { token } = await harness.json<{ token: string }>("/api/v1/auditors", {
    ...post({ days: 1 }, OPERATOR_TOKEN),
    status: 201,
  });
  const server = await serveApi({ api: harness.api, host: "127.0.0.1", port: 0 });
  return { url: server.url, token, stop: server.stop };
}
