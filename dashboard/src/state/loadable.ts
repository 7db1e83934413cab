/**
 * Something asked of the node: loading, there, or failed with a sentence. A value that is there
 * stays on the page while it is asked for again, and when asking again fails.
 */
import { type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type ApiFailure, asFailure, type Caller } from "./api-client.ts";
import { endSession, session } from "./session.ts";

const UNAUTHENTICATED = 401;

export type Loadable<Value> = {
  readonly value: Value | null;
  readonly failure: ApiFailure | null;
};

export type Resource<Value> = {
  readonly state: Signal<Loadable<Value>>;
  refresh(): Promise<void>;
  stop(): void;
};

/** A later `refresh` makes the answer of an earlier one void. */
export function createResource<Value>(load: (caller: Caller) => Promise<Value>): Resource<Value> {
  const state = signal<Loadable<Value>>({ value: null, failure: null });
  let current: AbortController | null = null;
  return {
    state,
    async refresh() {
      current?.abort();
      const mine = new AbortController();
      current = mine;
      const asked = session.value;
      try {
        const value = await load({ signal: mine.signal });
        if (!mine.signal.aborted) state.value = { value, failure: null };
      } catch (error) {
        if (mine.signal.aborted) return;
        const failure = asFailure(error);
        if (failure.httpStatus === UNAUTHENTICATED && asked === session.value) endSession();
        state.value = { value: state.value.value, failure };
      }
    },
    stop() {
      current?.abort();
    },
  };
}

/**
 * A resource that lives with a component: made anew when `key` changes, asked again when `revision`
 * does.
 */
export function useResource<Value>(
  key: string,
  revision: number,
  load: (caller: Caller) => Promise<Value>,
): Resource<Value> {
  const resource = useMemo(() => createResource(load), [key]);
  useEffect(() => {
    void resource.refresh();
  }, [resource, revision]);
  useEffect(() => () => resource.stop(), [resource]);
  return resource;
}
