/** What a piece of work costs: CPU of all threads of the process, and time by the clock. */
export type Cost = { readonly cpuMs: number; readonly clockMs: number };

export function measure<Value>(work: () => Value): { readonly value: Value; readonly cost: Cost } {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const value = work();
  const clockMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  return { value, cost: { cpuMs: (user + system) / 1000, clockMs } };
}

/** The least of each, over several runs of one thing. */
export function least(costs: readonly Cost[]): Cost {
  return {
    cpuMs: Math.min(...costs.map(({ cpuMs }) => cpuMs)),
    clockMs: Math.min(...costs.map(({ clockMs }) => clockMs)),
  };
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
