/** Times in the reader's zone, 24 h: incidents are told in it. */
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const hourMinute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

const date = (at: number): Date => new Date(at * 1000);
export const clock = (at: number): string => time.format(date(at));
export const clockShort = (at: number): string => hourMinute.format(date(at));
export const iso = (at: number): string => date(at).toISOString();

/** "UTC+02:00" of the reader's zone at that time. */
export function zone(at: number): string {
  const minutes = -date(at).getTimezoneOffset();
  const two = (n: number): string => String(n).padStart(2, "0");
  const size = Math.abs(minutes);
  return minutes === 0 ? "UTC" : `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
