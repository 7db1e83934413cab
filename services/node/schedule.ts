/**
 * Calendar jobs by node-cron: daily statements, log pruning. Delivery slots never come from here:
 * they are aligned to the epoch. A job is idempotent and catches up on all periods since its last
 * success, because node-cron keeps nothing over a restart and skips what a DST day does not have.
 */
import { createTask, type ScheduledTask, validateDetailed } from "node-cron";
import type { z } from "zod";
import { GridError } from "../primitives/errors.ts";
import type { NodeConfig } from "./config.ts";
import type { Log } from "./log.ts";

export type Job = {
  readonly name: keyof z.output<typeof NodeConfig>["jobs"];
  readonly run: () => Promise<void>;
};

export type JobStatus = {
  readonly name: string;
  readonly expression: string;
  readonly nextRunS: number | null;
  readonly lastSuccessS: number | null;
  readonly failures: number;
};

export type Schedule = { status(): JobStatus[]; stop(): Promise<void> };

export function startSchedule({
  jobs,
  expressions,
  timeZone,
  log,
}: {
  jobs: readonly Job[];
  expressions: NodeConfig["jobs"];
  timeZone: string;
  log: Log;
}): Schedule {
  const state = jobs.map((job) => {
    const expression = expressions[job.name];
    checkExpression(job.name, expression);
    return { job, expression, lastSuccessS: null as number | null, failures: 0 };
  });
  const tasks: ScheduledTask[] = state.map((entry) => {
    const { job, expression } = entry;
    const run = async () => {
      try {
        await job.run();
        entry.lastSuccessS = Math.floor(Date.now() / 1000);
      } catch (error) {
        entry.failures++; // the job comes again and catches up; the operator sees the count
        log.error({ job: job.name, error: String(error) }, "job failed");
      }
    };
    const task = createTask(expression, run, {
      timezone: timeZone,
      name: job.name,
      noOverlap: true,
    });
    task.start();
    return task;
  });
  return {
    status: () =>
      state.map((entry, i) => {
        const next = tasks[i]!.getNextRun();
        return {
          name: entry.job.name,
          expression: entry.expression,
          nextRunS: next === null ? null : Math.floor(next.getTime() / 1000),
          lastSuccessS: entry.lastSuccessS,
          failures: entry.failures,
        };
      }),
    stop: async () => {
      for (const task of tasks) await task.destroy();
    },
  };
}

export function checkExpression(job: string, expression: string): void {
  const verdict = validateDetailed(expression);
  if (verdict.valid) return;
  throw new GridError("config_invalid", `jobs.${job}: "${expression}" is no cron expression`, {
    file: "jobs",
  });
}
