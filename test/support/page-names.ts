import type { Page } from "playwright-core";

/** The accessibility rules an automatic check can hold: each control, landmark and picture has a name. Returns the offenders. */
export function nameless(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const text = (element: Element | null): string => element?.textContent?.trim() ?? "";
    const named = (element: Element): boolean => {
      const labelledBy = element.getAttribute("aria-labelledby");
      if (labelledBy !== null) return text(document.getElementById(labelledBy)) !== "";
      if ((element.getAttribute("aria-label") ?? "") !== "") return true;
      if (element instanceof HTMLInputElement || element instanceof HTMLSelectElement)
        return [...(element.labels ?? [])].some((l) => text(l) !== "");
      return element instanceof HTMLFieldSetElement ? text(element.querySelector("legend")) !== "" : text(element) !== "";
    };
    const offenders: string[] = [];
    for (const element of document.querySelectorAll(
      "a, button, input, select, summary, fieldset, section, [role=img], [role=region], [tabindex='0']",
    )) {
      if (!named(element)) offenders.push(element.outerHTML.slice(0, 120));
    }
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) offenders.push(`id ${id} twice`);
    if (document.documentElement.lang === "") offenders.push("html without lang");
    if (document.querySelectorAll("h1").length !== 1) offenders.push("not exactly one h1");
    return offenders;
  });
}
