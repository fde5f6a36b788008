/** What holds the service up, for the banner. */
import type { Model } from "./data";
import type { Words } from "./format";
import type { IconName } from "./icons";

export type Notice = [css: string, icon: IconName, text: string];

export function noticeOf(model: Model, words: Words, now: number): Notice | undefined {
  const { phase, pauseReason, pauseUntil } = model;
  if (phase === "offline") {
    const since = words.text("off_since", { time: words.moment(model.since ?? now, now) });
    return ["grey", "off", `${since} ${words.text("off_how")}`];
  }
  if (phase !== "ready") return undefined;
  if (model.storageLost) return ["red", "alert", words.text("storage_lost")];
  switch (pauseReason) {
    case "quiet_hours":
      return [
        "grey",
        "moon",
        pauseUntil
          ? words.text("quiet_until", { time: words.moment(pauseUntil, now) })
          : words.text("quiet_hours"),
      ];
    case "disk_low":
      return ["", "disk", words.text("disk_low")];
    case "updating":
      return ["grey", "clock", words.text("updating")];
    case undefined:
      return model.status === "error" ? ["red", "alert", words.text("trouble")] : undefined;
    default:
      return ["", "pause", words.text("user")];
  }
}
