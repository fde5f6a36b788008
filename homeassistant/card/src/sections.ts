/** The lists of the card, from top to bottom. A new list is one row here. */
import { ACTIVE, type Job } from "./data";
import type { TextKey } from "./format";

export interface Section {
  key: "running" | "waiting" | "failed" | "finished";
  statuses: string[];
  /** How many rows are shown until "Show all". */
  limit: number;
  /** A command for all jobs of the list, offered where there are several. */
  all?: { label: TextKey; command: object };
}

export const SECTIONS: Section[] = [
  { key: "running", statuses: ACTIVE, limit: 20 },
  { key: "waiting", statuses: ["queued", "paused", "retrying", "review"], limit: 5 },
  {
    key: "failed",
    statuses: ["failed"],
    limit: 3,
    all: { label: "retry_all", command: { command: "retry", id: "all", status: "failed" } },
  },
  { key: "finished", statuses: ["completed", "cancelled"], limit: 5 },
];

export function jobsOf(section: Section, jobs: Job[]): Job[] {
  return jobs.filter((job) => section.statuses.includes(job.status));
}
