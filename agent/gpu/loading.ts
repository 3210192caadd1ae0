import { ReaderUnusable } from "./process-messages.ts";

/** Loads a library and says, when it is not there, whether the library or koffi is missing. */
export async function loading<Library>(path: string, load: (path: string) => Promise<Library>): Promise<Library> {
  try {
    return await load(path);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    const koffi = said.includes("koffi");
    throw new ReaderUnusable(
      koffi ? "no-koffi" : "no-library",
      koffi
        ? "the optional dependency koffi is not installed for this platform"
        : `${path} cannot be loaded: ${said.split("\n", 1)[0] ?? ""}`,
    );
  }
}
