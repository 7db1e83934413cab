/**
 * The node's REST interface; a session travels as the node's own cookie. Answers are data of our
 * own server and typed by `wire/api.ts`; they reach the page as text only. Every failure is an
 * `ApiFailure` with a sentence to show.
 */
import type {
  ApiError,
  BillLine,
  BillProofAnswer,
  EnergySummary,
  EnergyWindow,
  Health,
  Me,
  Region,
  Session,
  SlotDetail,
  SlotSummary,
  Status,
} from "../../../services/wire/api.ts";
import { t } from "../messages.ts";

type HealthAnswer = ReturnType<typeof Health.parse>;

const TIMEOUT_MS = 10_000;
const API = "/api/v1";
const NO_CONTENT = 204;

export class ApiFailure extends Error {
  override readonly name = "ApiFailure";
  readonly httpStatus: number; // 0: no answer at all
  readonly code: string;
  constructor(message: string, answer: { httpStatus: number; code: string }) {
    super(message);
    this.httpStatus = answer.httpStatus;
    this.code = answer.code;
  }
}

export type Caller = { readonly signal?: AbortSignal };

const part = encodeURIComponent;

export const api = {
  status: (caller: Caller) => get<Status>(`${API}/status`, caller),
  regions: (caller: Caller) => get<Region[]>(`${API}/regions`, caller),
  slots: (region: string, range: { fromSlot: number; limit: number }, caller: Caller) =>
    get<SlotSummary[]>(
      `${API}/regions/${part(region)}/slots?from=${range.fromSlot}&limit=${range.limit}`,
      caller,
    ),
  slot: (region: string, slot: number, caller: Caller) =>
    get<SlotDetail>(`${API}/regions/${part(region)}/slots/${slot}`, caller),
  communitySummary: (region: string, window: EnergyWindow, caller: Caller) =>
    get<EnergySummary>(`${API}/regions/${part(region)}/summary?window=${window}`, caller),
  me: (caller: Caller) => get<Me>(`${API}/me`, caller),
  ownSummary: (window: EnergyWindow, caller: Caller) =>
    get<EnergySummary>(`${API}/me/summary?window=${window}`, caller),
  bills: (limit: number, caller: Caller) =>
    get<BillLine[]>(`${API}/me/bills?limit=${limit}`, caller),
  billProof: (bill: { settledSlot: number; leafIndex: number }, caller: Caller) =>
    get<BillProofAnswer>(`${API}/me/bills/${bill.settledSlot}/${bill.leafIndex}/proof`, caller),
  pair: (code: string, caller: Caller) =>
    request<Session>(`${API}/session`, caller, { method: "POST", body: JSON.stringify({ code }) }),
  unpair: (caller: Caller) => request<null>(`${API}/session`, caller, { method: "DELETE" }),
  /** Says "not ready" with 503 and the same shape. */
  health: (caller: Caller) => get<HealthAnswer>("/readyz", caller, [503]),
};

function get<Answer>(path: string, caller: Caller, alsoFine: number[] = []): Promise<Answer> {
  return request<Answer>(path, caller, {}, alsoFine);
}

async function request<Answer>(
  path: string,
  caller: Caller,
  init: RequestInit,
  alsoFine: readonly number[] = [],
): Promise<Answer> {
  const headers = new Headers({ accept: "application/json" });
  if (init.body) headers.set("content-type", "application/json");
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = caller.signal ? AbortSignal.any([caller.signal, timeout]) : timeout;
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, signal });
  } catch {
    throw new ApiFailure(t("error.unreachable"), { httpStatus: 0, code: "unreachable" });
  }
  if (response.status === NO_CONTENT) return null as Answer;
  let answer: unknown;
  try {
    answer = await response.json();
  } catch {
    throw new ApiFailure(t("error.unreadable"), {
      httpStatus: response.status,
      code: "unreadable",
    });
  }
  if (response.ok || alsoFine.includes(response.status)) return answer as Answer;
  throw refusal(response.status, answer);
}

function refusal(httpStatus: number, answer: unknown): ApiFailure {
  const { code, message } = (answer ?? {}) as Partial<ApiError>;
  const sentence = typeof message === "string" ? message : t("error.refused", { httpStatus });
  return new ApiFailure(sentence, {
    httpStatus,
    code: typeof code === "string" ? code : "unknown",
  });
}

export function asFailure(error: unknown): ApiFailure {
  if (error instanceof ApiFailure) return error;
  throw error; // a bug, not an answer
}
